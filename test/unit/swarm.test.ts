import { describe, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { MIRROR_LOGINS, NOTIFICATION_HEADERS } from "../../src/credentials/operatorVariables.js";
import { Secret } from "../../src/credentials/secret.js";
import { stackServices } from "../../src/docker/objects.js";
import {
  type CommandResult,
  childEnvironment,
  type Docker,
  dockerFailed,
  type RunOptions,
  saysAbsent,
} from "../../src/docker/run.js";
import { createSecret, MOST_SECRET_BYTES, writeSecret } from "../../src/docker/swarmSecrets.js";
import { ExitCode } from "../../src/errors.js";
import { sshDestination } from "../../src/host/setupHost.js";
import { deployStack } from "../../src/operation/stackUpdate.js";
import { judgeSwarm, type SwarmFacts } from "../../src/operation/swarmFacts.js";
import { node, swarmFacts } from "./swarmObjects.js";

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
      { client: { version: "19.03.15", apiVersion: "1.40" } },
      /command line 20\.10 or newer/,
    ],
    [
      "nothing with the oldest docker command",
      { client: { version: "20.10.24", apiVersion: "1.41" } },
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
    const findings = judgeSwarm(config, facts(changes as Partial<SwarmFacts>));
    if (remedy === undefined) expect(findings).toEqual([]);
    else expect(findings.map((finding) => finding.remedy).join("\n")).toMatch(remedy);
  });
});

test("docker is called with exactly these words", () => {
  expect(createSecret("forge", { kind: "ui", generation: 2 }).join(" ")).toBe(
    "secret create --label hephaestus.stack=forge --label hephaestus.generation=2 --label hephaestus.secret=ui forge_ui_2 -",
  );
  // Names that cannot stand in a label have no date.
  const changed = new Map([
    ["ann", new Date("2026-01-02T03:04:05.678Z")],
    ["b=b", new Date()],
  ]);
  expect(
    createSecret("forge", {
      kind: "htpasswd",
      generation: 3,
      generated: new Map([["ann", 3]]),
      changed,
    }).join(" "),
  ).toBe(
    "secret create --label hephaestus.stack=forge --label hephaestus.generation=3 --label hephaestus.secret=htpasswd --label hephaestus.generated.ann=3 --label hephaestus.changed.ann=2026-01-02T03:04:05Z forge_htpasswd_3 -",
  );
  expect(deployStack("forge", "docker-compose.yml", "never").join(" ")).toBe(
    "stack deploy --with-registry-auth --resolve-image never --compose-file docker-compose.yml forge",
  );
});

test("a secret goes to docker's standard input and nowhere else", async () => {
  const { docker, calls } = fakeDocker(() => ({ exitCode: 0, stdout: "", stderr: "" }));
  await writeSecret(docker, "forge", {
    kind: "htpasswd",
    generation: 1,
    content: new Secret("ann:hash"),
  });
  expect(JSON.stringify(calls.map(({ args }) => args))).not.toContain("ann");
  const input = calls[0]?.options?.input;
  expect(input instanceof Secret && input.reveal()).toBe("ann:hash");
  expect(calls).toHaveLength(1);
});

test("a secret that is larger than the Swarm takes is refused before docker is asked", async () => {
  const { docker, calls } = fakeDocker(() => ({ exitCode: 0, stdout: "", stderr: "" }));
  const secret = { kind: "htpasswd", generation: 2 } as const;
  const write = (bytes: number) =>
    writeSecret(docker, "forge", { ...secret, content: new Secret("x".repeat(bytes)) });
  await write(MOST_SECRET_BYTES);
  expect(calls).toHaveLength(1);
  // Bytes count, not characters.
  const umlauts = new Secret("ü".repeat(MOST_SECRET_BYTES / 2 + 1));
  await expect(writeSecret(docker, "forge", { ...secret, content: umlauts })).rejects.toThrow("kB");
  await expect(write(MOST_SECRET_BYTES + 1)).rejects.toMatchObject({
    where: "forge_htpasswd_2",
    message: "needs 500 kB, and a secret of a Swarm holds less than 500 kB",
    remedy: expect.stringContaining("Remove users"),
    exitCode: ExitCode.credentials,
  });
  expect(calls).toHaveLength(1);
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

test("an object that is gone is told from other failures, in the words of each line of the CLI", () => {
  for (const stderr of [
    "[]\nError: No such service: gone",
    "Status: Error: No such secret: gone, Code: 1",
    "no such task or service: gone",
    "Error response from daemon: service gone not found",
    "Error response from daemon: network forge_internal not found\nexit status 1",
  ])
    expect(saysAbsent({ stderr }), stderr).toBe(true);
  for (const stderr of [
    "Cannot connect to the Docker daemon at unix:///x. Is the docker daemon running?",
    "dial unix /run/docker.sock: connect: no such file or directory",
    'context "home" not found',
  ])
    expect(saysAbsent({ stderr }), stderr).toBe(false);
});

test("known messages of docker come with advice", () => {
  const failed = (stderr: string) => dockerFailed(["info"], { exitCode: 1, stdout: "", stderr });
  expect(failed("Got permission denied while trying to connect to the Docker daemon socket").remedy).toMatch(
    /group docker/,
  );
  expect(failed("Error response from daemon: This node is not a swarm manager.").remedy).toMatch(
    /docker swarm init/,
  );
  expect(failed("something else").exitCode).toBe(ExitCode.docker);
});

interface Call {
  args: readonly string[];
  options: RunOptions | undefined;
}

function fakeDocker(answer: (args: readonly string[]) => CommandResult): { docker: Docker; calls: Call[] } {
  const calls: Call[] = [];
  const attempt: Docker["attempt"] = async (args, options) => {
    calls.push({ args, options });
    return answer(args);
  };
  return { docker: { attempt, run: async (args, options) => (await attempt(args, options)).stdout }, calls };
}

test("a docker that fails is not taken for a stack that is not there", async () => {
  const failing = (stderr: string) =>
    fakeDocker((args) =>
      args[0] === "inspect"
        ? { exitCode: 1, stdout: "[]", stderr }
        : { exitCode: 0, stdout: "a1", stderr: "" },
    ).docker;
  await expect(stackServices(failing("Error response from daemon: rpc error"), "forge")).rejects.toThrow(
    /rpc error/,
  );
  expect(await stackServices(failing("Error: No such object: a1"), "forge")).toEqual([]);
});

test("ssh takes a port only in a URI", () => {
  expect(["root@n1", "root@n1:2222", "ssh://root@n1:2222"].map(sshDestination)).toEqual([
    "root@n1",
    "ssh://root@n1:2222",
    "ssh://root@n1:2222",
  ]);
});
