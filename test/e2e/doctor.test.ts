import { chown, mkdir, mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { processIdentity } from "../../src/swarm/lock/processIdentity.js";
import { Authelia } from "../support/authelia.js";
import { selfSigned } from "../support/selfSigned.js";
import { addressForTasks } from "./addresses.js";
import { Target } from "./attacks/target.js";
import { entrypoint, listen, openEndpoint, router, traefikApi } from "./doctor/fakes.js";
import { type Changes, CREDENTIALS, DEPLOY, USER, WITH_READER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk } from "./workspace.js";

/** doctor finds nothing on a sound stack, and each fault that is planted. */

const swarm = useSwarm();
const OWNER = 10_001;
const NETWORK = "ill-edge";

/** Requests to the engine and docker commands that change nothing. */
const READING =
  /^(?:GET \/|docker (?:version|context inspect|exec \w+ (?:df|test|cat|\/bin\/sh -c # Looks at))\b)/;

let target: Target;
/** A file system of its own, so that it can run full. */
let disk: string;
/** What is undone at the end, whatever happens. */
const closing: Array<() => unknown> = [];

const storage = () => `${disk}/images`;
/** Of line 3, since doctor warns of line 2. */
const registry = () => ({
  image: swarm.images.registry3,
  storage: { driver: "filesystem", path: storage() },
});

beforeAll(async () => {
  disk = await mkdtemp(`${tmpdir()}/disk-`);
  await remount("size=20G,nr_inodes=100k", []);
  await mkdir(storage());
  target = await Target.deploy("ill", [5000, 8080], swarm, {
    registry: registry(),
    gateway: WITH_READER,
  });
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await target?.destroy();
  await execa("umount", ["--lazy", disk], { reject: false });
  await rm(disk, { recursive: true, force: true });
});

const remount = (options: string, type = ["-o", "remount"]) =>
  execa("mount", [...(type.length > 0 ? type : ["-t", "tmpfs"]), "-o", options, "tmpfs", disk]);

interface Told {
  findings: Array<Record<"code" | "severity" | "message" | "evidence" | "remedy" | "theme", string>>;
  checked: string[];
  skipped: string[];
}

async function doctor(...args: string[]): Promise<{ exitCode: number; told: Told }> {
  const run = await target.workspace.hephaestus(["doctor", "--json", ...args]);
  if (run.stdout === "") throw new Error(run.all);
  return { exitCode: run.exitCode, told: JSON.parse(run.stdout) as Told };
}

/** Nothing is found once the Swarm has come to rest. */
const soundAgain = (but?: string) =>
  expect
    .poll(async () => (await doctor()).told.findings.filter(({ code }) => code !== but), {
      timeout: 60_000,
      interval: 1000,
    })
    .toEqual([]);

/** What a person is told to do in the end, and what the planted faults are taken away with. */
async function deployAgain(): Promise<void> {
  const run = await target.workspace.hephaestus(DEPLOY, { env: CREDENTIALS });
  expectOk(run);
}

/** What docker says about a service of the stack; waiting for it costs less than to ask doctor again. */
const serviceShows = (what: RegExp, service: string, format: string, ...command: string[]) =>
  expect
    .poll(() => target.docker("service", ...command, "--format", format, `ill_${service}`), { interval: 500 })
    .toMatch(what);

/** Sees that each fault is found, with what a person needs. */
async function expectFaults(expected: Readonly<Record<string, RegExp>>, ...args: string[]): Promise<void> {
  let told: Told | undefined;
  const wordsOf = (id: string) => {
    const found = told?.findings.filter((finding) => finding.code === id) ?? [];
    return found.map((finding) => `${finding.message}: ${finding.evidence}`).join("\n");
  };
  // The Swarm needs a while until it shows all of them as they are in the end.
  const missing = async () => {
    const run = await doctor(...args);
    expect(run.exitCode).toBe(ExitCode.found);
    told = run.told;
    return Object.entries(expected).flatMap(([id, evidence]) =>
      evidence.test(wordsOf(id)) ? [] : [`${id}: ${wordsOf(id)}`],
    );
  };
  await expect.poll(missing, { timeout: 60_000, interval: 500 }).toEqual([]);
  for (const { code, remedy } of told?.findings ?? []) expect(remedy.length, code).toBeGreaterThan(10);
  const severities = told?.findings.map(({ severity }) => severity) ?? [];
  expect(severities).toEqual([...severities].sort());
}

/** Options for another config file, of the same stack. */
async function otherConfig(changes: Changes): Promise<string[]> {
  const folder = `${target.workspace.folder}/other`;
  await mkdir(folder, { recursive: true });
  await writeConfig(Object.assign(Object.create(target.workspace), { folder }), swarm, {
    ...changes,
    registry: { ...registry(), ...changes.registry },
    gateway: { ...WITH_READER, ...changes.gateway },
  });
  return ["--config", "other/hephaestus.yaml"];
}

test("nothing is found on a sound stack", async () => {
  const { exitCode, told } = await doctor();
  expect(told.findings).toEqual([]);
  expect(told.skipped).toEqual([]);
  expect(exitCode).toBe(ExitCode.ok);
  expect(told.checked.length).toBeGreaterThanOrEqual(17);
  const shown = await target.workspace.hephaestus(["doctor", "--verbose"]);
  expectOk(shown);
  expect(shown.stdout).toMatch(/^nothing found; \d\d things checked$/);
  const commands = shown.stderr.split("\n").filter((line) => /^(?:docker|GET|POST|DELETE) /.test(line));
  expect(commands.length).toBeGreaterThan(20);
  expect(commands.filter((line) => !READING.test(line))).toEqual([]);
});

test("its units report to the address of their environment file, and their environment has no other", async () => {
  const { workspace } = target;
  const received: Array<{ found: Array<{ code: string }> }> = [];
  const chat = createServer(async (request, response) => {
    received.push(JSON.parse(String(Buffer.concat(await request.toArray()))) as (typeof received)[0]);
    response.end();
  });
  closing.push(() => chat.close());
  const variable = `HEPHAESTUS_ALERT_URL=${(await listen(chat)).url}`;
  await writeFile(`${workspace.folder}/alert.env`, `${variable}\n`, { mode: 0o600 });
  const units = await workspace.hephaestus(["doctor", "--schedule", "--environment-file", "alert.env"]);
  expectOk(units);
  expect(units.all).not.toContain(variable);
  const line = (key: string) => new RegExp(`^${key}=(.*)$`, "m").exec(units.stdout)?.[1] ?? "";
  // As systemd does: the folder, the environment of the file, the command.
  const run = (docker: string) =>
    workspace.run("env", [
      ...[
        "--ignore-environment",
        `PATH=${process.env.PATH}`,
        `HOME=${workspace.folder}`,
        `DOCKER_HOST=${docker}`,
      ],
      ...["sh", "-c", `cd "$1" && set -a && . "$2" && set +a && exec ${line("ExecStart")}`, "sh"],
      ...[line("WorkingDirectory"), line("EnvironmentFile")],
    ]);
  const found = await run("unix:///nonexistent");
  expect(found.exitCode, found.all).toBe(Number(line("SuccessExitStatus")));
  expect(received.map((report) => report.found.map(({ code }) => code))).toEqual([["docker-silent"]]);
  const again = await run("unix:///nonexistent");
  expect(again.exitCode, again.all).toBe(ExitCode.found);
  expect(received).toHaveLength(1);
  const sound = await run(swarm.dockerHost);
  expectOk(sound);
  expect(received[1]).toMatchObject({ found: [], resolved: [expect.any(String)] });
});

test("it says that Docker does not answer, and looks at the rest", async () => {
  const run = await target.workspace.hephaestus(["doctor", "--json"], {
    env: { DOCKER_HOST: "unix:///nonexistent" },
  });
  const { findings, checked } = JSON.parse(run.stdout) as Told;
  expect(run.exitCode).toBe(ExitCode.found);
  expect(findings.map(({ code }) => code)).toEqual(["docker-silent"]);
  expect(checked).toEqual(expect.arrayContaining(["rendered files", "DNS", "answers at the front door"]));
});

test("faults of the config, the files, the passwords and an open front door", async () => {
  const endpoints = [openEndpoint(), openEndpoint()] as const;
  closing.push(...endpoints.map((endpoint) => () => endpoint.close()));
  const [registry, ui] = [(await listen(endpoints[0])).port, (await listen(endpoints[1])).port];
  const restore = await setSecretLabel("ill_htpasswd_1", "hephaestus.changed.smith", "2020-01-01T00:00:00Z");
  const config = await otherConfig({
    root: { ports: { registry, ui }, credentials: { maxAge: "90d" } },
    registry: { pull: "authenticated" },
    gateway: { image: "hephaestus-standin/nginx" },
  });
  await expectFaults(
    {
      "image-not-pinned": /hephaestus-standin\/nginx is not pinned.*gateway\.image/,
      "library-shows-all": /public UI/,
      "files-stale": /gateway\/gateway\.json \(\+\d+ -\d+ lines\)/,
      "password-old": /password of smith is \d{4} days old/,
      "anonymous-write": /anyone can push.*answered 202/,
      "anonymous-pull": /auth\/token answered 200 instead of 401/,
      "library-writes": /a DELETE through the UI was answered 202/,
      "front-door-wrong": /\/v2\/ answered 200 with the challenge none/,
      "clock-front-door": /\d{3} seconds behind/,
      "service-drifted": /image is hephaestus-standin\/nginx:1\.30 instead of hephaestus-standin\/nginx/,
    },
    ...config,
    ...["--output", target.workspace.folder],
  );
  await restore();
});

test("faults of Traefik, of the names, of the certificate, and of neighbours", async () => {
  const { workspace } = target;
  await target.docker("network", "create", "--driver", "overlay", NETWORK);
  closing.push(() => workspace.docker("network", "rm", NETWORK));
  const label = "traefik.http.routers.other.rule=Host(`localhost`)";
  await target.docker(
    ...["service", "create", "--detach", "--no-resolve-image", "--name", "neighbour", "--replicas", "0"],
    ...["--network", `name=${NETWORK},alias=registry`, "--label", label, swarm.images.hello],
  );
  closing.push(() => workspace.docker("service", "rm", "neighbour"));

  const fillers = Array.from({ length: 120 }, (_, index) => router(`r${index}@swarm`, `r${index}.example`));
  const error = ['middleware "authelia@swarm" does not exist'];
  const traefik = createServer(
    traefikApi({
      routers: [
        ...fillers,
        router("ill-registry@swarm", "localhost", { entryPoints: ["web"], using: ["web"] }),
        router("ill-registry-ui@swarm", "ui.ill.invalid", { status: "disabled", error }),
      ],
      middlewares: [
        { name: "ill-before-auth@swarm", status: "enabled", type: "headers" } as { name: string },
      ],
      entrypoints: [entrypoint("websecure", "60000000000ns")],
    }),
  );
  closing.push(() => traefik.close());
  const { url: api } = await listen(traefik);
  const day = 86_400_000;
  const [from, until] = [new Date(Date.now() - 60 * day), new Date(Date.now() + 5 * day)];
  const tls = createHttpsServer(selfSigned(["other.example"], from, until));
  closing.push(() => tls.close());
  await listen(tls, 443);

  const behind = (settings: Record<string, unknown>) =>
    otherConfig({
      root: { expose: "traefik", traefik: { network: NETWORK, api, ...settings } },
      registry: { host: "localhost" },
      ui: { access: "sso", host: "ui.ill.invalid" },
    });
  await expectFaults(
    {
      "files-missing": /docker-compose\.yml/,
      "name-unknown": /ui\.ill\.invalid does not resolve/,
      "certificate-untrusted": /DEPTH_ZERO_SELF_SIGNED_CERT/,
      "certificate-ends-soon": /shows other\.example, signed by other\.example/,
      "certificate-wrong-name": /localhost has a certificate for another name/,
      "router-wrong-entrypoint": /ill-registry@swarm is not on the entrypoint websecure: it is on web/,
      "router-refused": /ill-registry-ui@swarm.*status disabled: middleware "authelia@swarm" does not exist/,
      "middleware-missing": /authelia@swarm/,
      "read-timeout-short": /longer than 60 seconds.*60000000000ns/,
      "host-claimed-twice": /claims localhost, the host of ill-registry: service neighbour has the label/,
      "alias-twice": /neighbour answers to the name registry on ill-edge/,
      "service-drifted": /gateway differs from what a deploy would set/,
    },
    ...(await behind({})),
  );

  await expectFaults(
    {
      "network-missing": /nowhere does not exist/,
      "no-node-fits": /node\.labels\.disk == big/,
      "router-missing": /ill-registry@docker: it has ill-registry@swarm instead/,
      "entrypoint-missing": /no entrypoint https/,
    },
    ...(await otherConfig({
      root: { expose: "traefik", traefik: { network: "nowhere", api, entrypoint: "https", version: 2 } },
      registry: { placement: { constraints: ["node.labels.disk == big"] } },
    })),
  );
  traefik.close();
  await expectFaults({ "traefik-unreachable": /ECONNREFUSED/ }, ...(await behind({})));
});

test("faults in the Swarm, all at once, which the next deploy takes away", async () => {
  const { workspace } = target;
  const update = (service: string, ...change: string[]) =>
    target.docker(
      "service",
      "update",
      "--detach",
      "--quiet",
      "--no-resolve-image",
      ...change,
      `ill_${service}`,
    );
  await update("reader", "--image", "hephaestus-standin/nowhere:1");
  await update(
    "gateway",
    ...["--label-add", "somebody=was-here", "--restart-delay", "200ms"],
    ...["--update-failure-action", "continue", "--entrypoint", "sh -c 'exit 3'"],
  );
  await target.docker("service", "rm", "ill_registry-ui");
  const until = Math.floor(Date.now() / 1000) + 3600;
  await update(
    "registry",
    ...["--env-add", `HEPHAESTUS_READONLY_UNTIL=${until}`, "--env-add", "REGISTRY_AUTH_HTPASSWD_REALM=x"],
  );
  const stack = ["--label", "hephaestus.stack=ill"];
  // Its holder has ended for certain, so nobody watches for heartbeats.
  const holder = processIdentity()?.replace(/\/\d+\/\d+$/, "/4194303/1");
  const lock = [
    ...[...stack, "--label", "hephaestus.lock.holder=ann@gone"],
    ...["--label", "hephaestus.lock.seconds=0", "--label", `hephaestus.lock.process=${holder}`],
  ];
  await workspace.run("docker", ["config", "create", ...lock, "ill_lock", "-"], { input: "x" });
  const old = [...stack, "--label", "com.docker.stack.namespace=ill"];
  await workspace.run("docker", ["config", "create", ...old, "ill_gateway_000000000000", "-"], {
    input: "x",
  });
  await workspace.run("docker", ["secret", "create", ...stack, "ill_htpasswd_9", "-"], { input: "x" });
  const create = ["service", "create", "--detach", "--quiet", "--no-resolve-image"];
  await target.docker(...create, ...old, "--replicas", "0", "--name", "ill_cache", swarm.images.hello);
  await target.docker(
    ...create,
    ...stack,
    ...["--mode", "replicated-job", "--restart-condition", "none", "--name", "ill_job-old"],
    ...["--entrypoint", "true", swarm.images.nginx],
  );
  await chown(storage(), 0, 0);
  await mkdir(`${disk}/fill`);
  for (let file = 0; file < 40; file++) await writeFile(`${disk}/fill/${file}`, "");
  await remount("size=4G,nr_inodes=45");

  await serviceShows(/^rollback/, "reader", "{{with .UpdateStatus}}{{.State}}{{end}}", "inspect");
  await serviceShows(/(?:non-zero exit \(3\)[\s\S]*){3}/, "gateway", "{{.Error}}", "ps", "--no-trunc");
  await expectFaults({
    "update-rolled-back": /reader was rolled back.*No such image: hephaestus-standin\/nowhere:1/,
    "service-crash-loop":
      /gateway fails again and again.*\d+ failures.*0 of 1 tasks run.*non-zero exit \(3\)/,
    "service-drifted": /gateway differs from what a deploy would set.*has label somebody \(was-here\)/,
    "service-missing": /registry-ui is not deployed/,
    "service-unknown": /ill_cache/,
    "front-door-silent":
      /the registry does not answer: http:\/\/localhost:5000: nothing listens there[\s\S]*the library does not answer/,
    "registry-read-only": new RegExp(`refuses pushes.*READONLY_UNTIL=${until}`),
    "registry-auth-overridden": /REGISTRY_AUTH_HTPASSWD_REALM/,
    "secret-older": /generation 1, and 9 exists/,
    "lock-left": /ill_lock of ann@gone/,
    "config-left": /ill_gateway_000000000000/,
    "helper-left": /ill_job-old.*complete/,
    "storage-not-writable": /test -w/,
    "storage-full": /running full: [34]\.\d+ GB free of 4\.\d+ GB/,
    "inodes-full": /nearly full: \d inodes free of 45/,
  });

  await remount("size=20G,nr_inodes=100k");
  await chown(storage(), OWNER, OWNER);
  await deployAgain();
  await soundAgain();
});

test("a storage folder that is gone, and a service that is scaled to 0", async () => {
  await rename(storage(), `${storage()}.away`);
  const { id } = await target.container("registry");
  await target.docker("kill", id);
  await target.docker("service", "scale", "--detach", "ill_reader=0");
  await serviceShows(/invalid mount config/, "registry", "{{.Error}}", "ps", "--no-trunc");
  // The front door would be waited for: nothing answers behind it.
  await expectFaults(
    {
      "storage-missing": new RegExp(`${storage()} is not there: task: invalid mount config.*does not exist`),
      "service-off": /reader is scaled to 0/,
    },
    "--no-verify",
  );
  await rename(`${storage()}.away`, storage());
  await target.docker("service", "scale", "--detach", "ill_reader=1");
  for (const service of ["registry", "reader"])
    await serviceShows(/^Running/m, service, "{{.CurrentState}}", "ps", "--filter", "desired-state=running");
  // On a slow machine the registry has failed so often meanwhile that it is said for an hour.
  await soundAgain("service-crash-loop");
});

/** What status says of Authelia, and what doctor finds at the front door. */
async function diagnoses(): Promise<{ status: string; ids: string[] }> {
  const status = await target.workspace.hephaestus(["status"]);
  expect([ExitCode.ok, ExitCode.unhealthy], status.all).toContain(status.exitCode);
  expect(status.exitCode === ExitCode.unhealthy).toBe(status.all.includes("not healthy"));
  const { findings } = (await doctor()).told;
  const ids = findings
    .map(({ code }) => code)
    .filter((code) => /^(?:authelia|front-door|library)/.test(code));
  return { status: status.all, ids };
}

test("Authelia that is down, and a rule that is stale, are seen by status, doctor and deploy, which does not fail", async () => {
  const { workspace } = target;
  const authelia = new Authelia(await addressForTasks(), 9091, "localhost", {});
  closing.push(() => authelia.stop());
  await authelia.start();
  await target.redeploy({
    root: { users: { provider: "authelia" }, authelia: { url: authelia.url } },
    registry: registry(),
    gateway: { ...WITH_READER, remember: "1s" },
  });
  for (const args of [
    ["user", "add", "smitty"],
    ["user", "remove", USER],
    ["rotate-password", "--user", USER],
  ]) {
    const run = await workspace.hephaestus(args);
    expect(run.exitCode, run.all).toBe(ExitCode.preflight);
    expect(run.all).toContain("its users are Authelia's (users.provider: authelia)");
  }
  expect((await diagnoses()).ids).toEqual([]);
  const before = authelia.questions.length;
  for (const [cause, id, words] of [
    ["down", "authelia-silent", "Authelia does not answer"],
    ["bypass", "authelia-refuses", "Authelia cannot tell who logs in"],
  ] as const) {
    if (cause === "down") await authelia.become("down");
    else {
      await authelia.become("answers");
      authelia.policy = "bypass";
    }
    // Then the gateway asks again.
    await sleep(2000);
    const { status, ids } = await diagnoses();
    expect(status).toContain(words);
    expect(ids).toEqual([id]);
    const deploy = await workspace.hephaestus(DEPLOY, { env: CREDENTIALS });
    expectOk(deploy);
    expect(deploy.all).toContain(words);
    expect(deploy.all).toMatch(/docker login -u USER localhost:5000 .*a user of Authelia/);
    expect(deploy.all).not.toContain(`docker login -u ${USER}`);
  }
  const asked = authelia.questions.slice(before).filter((question) => question.login === "nobody");
  expect(asked.every(({ password }) => password === "")).toBe(true);
});

/** Changes a label of a secret, which the engine's API alone can; gives the way back. */
async function setSecretLabel(name: string, label: string, value: string): Promise<() => Promise<void>> {
  const [{ ID, Spec }] = JSON.parse(await target.docker("secret", "inspect", name)) as [
    { ID: string; Spec: { Labels: Record<string, string> } },
  ];
  const set = async (labels: Record<string, string>) => {
    const [{ Version }] = JSON.parse(await target.docker("secret", "inspect", name)) as [
      { Version: { Index: number } },
    ];
    await execa("curl", [
      ...["--silent", "--show-error", "--fail", "--unix-socket", swarm.dockerHost.replace("unix://", "")],
      ...[
        "--header",
        "content-type: application/json",
        "--data",
        JSON.stringify({ ...Spec, Labels: labels }),
      ],
      `http://engine/secrets/${ID}/update?version=${Version.Index}`,
    ]);
  };
  await set({ ...Spec.Labels, [label]: value });
  return () => set(Spec.Labels);
}
