import { describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { MIRROR_LOGINS, NOTIFICATION_HEADERS } from "../../src/credentials/operatorVariables.js";
import { Secret } from "../../src/credentials/secret.js";
import { childEnvironment } from "../../src/docker/childEnvironment.js";
import { dockerFailed } from "../../src/docker/failures.js";
import { judgeSwarm } from "../../src/doctor/engineChecks.js";
import { judgeNetworks } from "../../src/doctor/networkChecks.js";
import { ExitCode } from "../../src/errors.js";
import { sshDestination } from "../../src/host/setupHost.js";
import { serviceTasks, stackServices, tasksOf } from "../../src/swarm/objects.js";
import { MOST_SECRET_BYTES, secretLabels, writeSecret } from "../../src/swarm/secrets.js";
import { stackDeployArguments } from "../../src/swarm/stackUpdate.js";
import type { SwarmFacts } from "../../src/swarm/swarmFacts.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";
import { named, node, swarmFacts, task } from "./swarmObjects.js";

const { config } = loadConfig(
  "domain: a.example\nregistry: { placement: { constraints: ['node.labels.disk == big'] } }",
  "f",
  {},
);

const facts = (changes: Partial<SwarmFacts> = {}) =>
  swarmFacts({ nodes: [node("n1", { disk: "big" })], ...changes });

describe("preflight", () => {
  test.each([
    ["nothing on a sound Swarm", {}, undefined],
    ["an engine that is too old", { apiVersion: "1.40" }, /20\.10/],
    [
      "a docker command that is too old, however new the engine is",
      { client: { version: "19.03.15", apiVersion: "1.40" }, minApiVersion: "1.24" },
      /command line 20\.10 or newer/,
    ],
    [
      "nothing with the oldest docker command",
      { client: { version: "20.10.24", apiVersion: "1.41" } },
      undefined,
    ],
    [
      "a docker command that this engine refuses",
      { client: { version: "20.10.24", apiVersion: "1.41" }, minApiVersion: "1.44" },
      /command line 25\.0 or newer/,
    ],
    [
      "one that an engine of a later year refuses",
      { client: { version: "29.9.3", apiVersion: "1.55" }, serverVersion: "33.1.0", minApiVersion: "1.60" },
      /command line 33\.1\.0 or newer/,
    ],
    [
      "nothing with an engine that takes older ones",
      { client: { version: "20.10.24", apiVersion: "1.41" }, minApiVersion: "1.24" },
      undefined,
    ],
    ["no Swarm", { swarmState: "inactive", isManager: false }, /docker swarm init/],
    ["a worker", { isManager: false }, /manager/],
    ["a missing network", { network: undefined }, /docker network create --driver overlay/],
    [
      "a bridge in the place of an overlay",
      { network: { id: "net1", scope: "local", driver: "bridge" } },
      /overlay network of scope swarm/,
    ],
    ["no node that fits", { nodes: [node("n1")] }, /docker node update --label-add/],
    [
      "two nodes that fit one folder",
      { nodes: [node("n1", { disk: "big" }), node("n2", { disk: "big" })] },
      /node\.hostname/,
    ],
    ["a kernel without IPVS", { hasIpvs: false }, /dnsrr/],
    ["nothing where the kernel is not known", { hasIpvs: undefined }, undefined],
  ] as const)("finds %s", (_name, changes, remedy) => {
    const found = facts(changes as Partial<SwarmFacts>);
    const findings = [...judgeSwarm(config, found), ...(found.isManager ? judgeNetworks(config, found) : [])];
    if (remedy === undefined) expect(findings).toEqual([]);
    else expect(findings.map((finding) => finding.remedy).join("\n")).toMatch(remedy);
  });
});

test("docker is called with exactly these words", () => {
  expect(stackDeployArguments("forge", "docker-compose.yml", "never").join(" ")).toBe(
    "stack deploy --with-registry-auth --resolve-image never --compose-file docker-compose.yml forge",
  );
});

test("a secret has exactly these labels", () => {
  expect(secretLabels("forge", { kind: "ui", generation: 2 })).toEqual({
    "hephaestus.stack": "forge",
    "hephaestus.generation": "2",
    "hephaestus.secret": "ui",
  });
  // Names that cannot stand in a label have no date.
  const changed = new Map([
    ["ann", new Date("2026-01-02T03:04:05.678Z")],
    ["b=b", new Date()],
  ]);
  expect(
    secretLabels("forge", { kind: "htpasswd", generation: 3, generated: new Map([["ann", 3]]), changed }),
  ).toEqual({
    "hephaestus.stack": "forge",
    "hephaestus.generation": "3",
    "hephaestus.secret": "htpasswd",
    "hephaestus.generated.ann": "3",
    "hephaestus.changed.ann": "2026-01-02T03:04:05Z",
  });
});

const secret = { kind: "htpasswd", generation: 2 } as const;

test("a secret goes to the engine and nowhere else", async () => {
  const engine = new FakeEngine();
  const calls: string[] = [];
  const docker = engine.docker((call) => calls.push(call));
  await writeSecret(docker, "forge", { ...secret, content: new Secret("ann:hash") });
  expect(calls).toEqual(["POST /secrets/create"]);
  expect(engine.objects.secrets[0]?.Spec).toEqual({
    Name: "forge_htpasswd_2",
    Labels: secretLabels("forge", secret),
    Data: Buffer.from("ann:hash").toString("base64"),
  });
});

test("a secret that is larger than the Swarm takes is refused before the engine is asked", async () => {
  const engine = new FakeEngine();
  const write = (content: string) =>
    writeSecret(engine.docker(), "forge", { ...secret, content: new Secret(content) });
  await write("x".repeat(MOST_SECRET_BYTES));
  expect(engine.requests).toHaveLength(1);
  // Bytes count, not characters.
  await expect(write("ü".repeat(MOST_SECRET_BYTES / 2 + 1))).rejects.toThrow("kB");
  await expect(write("x".repeat(MOST_SECRET_BYTES + 1))).rejects.toMatchObject({
    where: "forge_htpasswd_2",
    message: "needs 500 kB, and a secret of a Swarm holds less than 500 kB",
    remedy: expect.stringContaining("Remove users"),
    exitCode: ExitCode.credentials,
  });
  expect(engine.requests).toHaveLength(1);
});

test("programs that are started do not inherit the operator's secrets", () => {
  const secrets = [
    "REGISTRY_HTPASSWD",
    "REGISTRY_RAW_PASSWORD",
    "REGISTRY_S3_SECRET_ACCESS_KEY",
    "REGISTRY_S3_READER_SECRET_ACCESS_KEY",
    MIRROR_LOGINS.name,
    NOTIFICATION_HEADERS.name,
    "HEPHAESTUS_ALERT_URL",
  ];
  for (const name of [...secrets, "MORE"]) vi.stubEnv(name, "x");
  const environment = childEnvironment({ MORE: "z" });
  expect(secrets.filter((name) => name in environment)).toEqual([]);
  expect(environment.MORE).toBe("z");
  vi.unstubAllEnvs();
});

test("known messages of docker come with advice", () => {
  const failed = (stderr: string) => dockerFailed(["info"], { exitCode: 1, stderr });
  expect(failed("Got permission denied while trying to connect to the Docker daemon socket").remedy).toMatch(
    /group docker/,
  );
  expect(failed("Error response from daemon: This node is not a swarm manager.").remedy).toMatch(
    /docker swarm init/,
  );
  expect(failed("something else").exitCode).toBe(ExitCode.docker);
});

test("an engine that fails is not taken for a stack that is not there", async () => {
  const engine = new FakeEngine({ services: [named("forge_registry", { "hephaestus.stack": "forge" })] });
  const failing = (status: number, message: string) => {
    engine.trouble = (asked) => (asked === "GET /tasks" ? refused(status, message) : undefined);
    return serviceTasks(engine.docker(), "forge_registry");
  };
  await expect(failing(500, "rpc error")).rejects.toThrow(/rpc error/);
  expect(await failing(404, "service forge_registry not found")).toEqual([]);
  engine.silent = true;
  await expect(stackServices(engine.docker(), "forge")).rejects.toThrow("no answer");
});

test("the tasks of services are those of the services that are left", async () => {
  const engine = new FakeEngine({
    services: ["forge_registry", "forge_gateway"].map((name) => named(name)),
    tasks: [
      task("running", { ID: "old", ServiceID: "forge_registry", CreatedAt: "2026-01-01T00:00:01Z" }),
      task("running", { ID: "new", ServiceID: "forge_registry", CreatedAt: "2026-01-01T00:00:02Z" }),
    ],
  });
  const [registry, gone] = [named("forge_registry"), named("forge_gone")];
  const tasks = await tasksOf(engine.docker(), [registry, gone]);
  expect(tasks(registry).map(({ ID }) => ID)).toEqual(["new", "old"]);
  expect(tasks(gone)).toEqual([]);
});

test("ssh takes a port only in a URI", () => {
  expect(["root@n1", "root@n1:2222", "ssh://root@n1:2222"].map(sshDestination)).toEqual([
    "root@n1",
    "ssh://root@n1:2222",
    "ssh://root@n1:2222",
  ]);
});
