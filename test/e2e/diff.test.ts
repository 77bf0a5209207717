import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { Target } from "./attacks/target.js";
import { CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** What deploy would change, against services that docker itself made and changed. */

const swarm = useSwarm();
story();
const REGISTRY = {
  env: {
    REGISTRY_LOG_LEVEL: "warn",
    PRICE: "5$ a=b %",
    // What one YAML parser or another takes for something else than text.
    ...{ A: "0o17", B: "yes", C: "1e3", D: "2020-01-01", E: "~", F: "null", G: "1_000", H: "1:30", I: "" },
    ...{ J: "0x1F", K: "017", L: ".inf", M: "a: b", N: " # c ", O: "'\"", P: "é\u2003€", Q: "!t", R: "1.0" },
  },
  placement: { constraints: ["node.role == manager"] },
  resources: { limits: { cpus: 0.75, memory: "300M" }, reservations: { memory: "64m" } },
};
/** With a volume. */
const GATEWAY = { cache: "100M" };
let target: Target;

beforeAll(async () => {
  target = await Target.deploy("drift", [5000, 8080], swarm, { registry: REGISTRY, gateway: GATEWAY });
});

afterAll(() => target?.destroy());

async function diff(env: Record<string, string> = {}, workspace = target.workspace) {
  const { exitCode, stdout, stderr, all } = await workspace.hephaestus(["diff"], { env });
  return { exitCode, lines: stdout.split("\n"), stderr, all };
}

async function isUnchanged(workspace?: Workspace) {
  const { exitCode, lines } = await diff({}, workspace);
  expect(lines).toEqual(["nothing would change"]);
  expect(exitCode).toBe(ExitCode.ok);
}

/** An engine that changes the service at the same time refuses an update, and takes it the next time. */
const update = (service: string, ...flags: string[]) =>
  expect
    .poll(
      async () => {
        const args = ["service", "update", "--detach", "--quiet", ...flags, `drift_${service}`];
        const run = await target.workspace.docker(...args);
        return run.exitCode === 0 ? "" : run.all;
      },
      { timeout: 20_000, interval: 500 },
    )
    .toBe("");

test("each service has a limit of processes, and diff says where it is another one", async () => {
  const names = (await target.docker("stack", "services", "--format", "{{.Name}}", "drift"))
    .trim()
    .split("\n");
  expect(names).toHaveLength(4);
  const format = "{{.Spec.TaskTemplate.Resources.Limits.Pids}}";
  const limits = await target.docker("service", "inspect", "--format", format, ...names);
  expect(limits.trim().split("\n")).toEqual(names.map(() => "4096"));
  await update("reader", "--limit-pids", "100");
  expect((await diff()).lines).toEqual(
    expect.arrayContaining(["  - limit of processes: 100", "  + limit of processes: 4096"]),
  );
  await update("reader", "--limit-pids", "4096");
  await isUnchanged();
});

test("right after a deploy nothing would change", async () => {
  await isUnchanged();
  const json = await target.workspace.hephaestus(["diff", "--json"]);
  expect(JSON.parse(json.stdout)).toEqual({ event: "result", differences: [], stale: [] });
  // The password that the environment gives is the one that is there.
  expectOk(await diff(CREDENTIALS));
  const dry = await target.workspace.hephaestus([...DEPLOY, "--dry-run"], { env: CREDENTIALS });
  expect(dry.all).toContain("Stack: ok: nothing would change");
});

describe("behind Traefik, with Authelia and an admin UI", () => {
  let workspace: Workspace;
  const network = "drift-edge";

  beforeAll(async () => {
    workspace = await Workspace.create("behind", 5001, 8081);
    await workspace.docker("network", "create", "--driver", "overlay", network);
    await writeConfig(workspace, swarm, {
      root: {
        domain: "forge.example",
        expose: "traefik",
        traefik: { network, certResolver: "acme", middlewares: ["headers@file"] },
        networks: { encrypted: true },
      },
      registry: { delete: true, placement: { spread: ["node.labels.zone"], maxReplicasPerNode: 2 } },
      ui: { access: "sso", admin: { enabled: true } },
    });
    await workspace.hephaestus(["render"]);
  });

  afterAll(() => workspace?.destroy([network]));

  test("everything would be created, and nothing would change when it is", async () => {
    const before = await diff({}, workspace);
    expect(before.exitCode, before.all).toBe(ExitCode.stale);
    expect(before.lines).toEqual([
      expect.stringMatching(/^create behind_gateway \(.+nginx.+\)$/),
      expect.stringContaining("create behind_registry"),
      expect.stringContaining("create behind_registry-admin"),
      expect.stringContaining("create behind_registry-ui"),
    ]);
    // Whether its tasks come up does not matter here.
    const started = await workspace.hephaestus([...DEPLOY, "--no-wait"], { env: CREDENTIALS });
    expectOk(started);
    await isUnchanged(workspace);
  });

  test("a service that the config no longer has would be removed, and labels alone restart nothing", async () => {
    await writeConfig(workspace, swarm, {
      root: {
        domain: "forge.example",
        expose: "traefik",
        traefik: { network, certResolver: "other", middlewares: ["headers@file"] },
        networks: { encrypted: true },
      },
      registry: { delete: true, placement: { spread: ["node.labels.zone"], maxReplicasPerNode: 2 } },
      ui: { access: "sso" },
    });
    const { lines } = await diff({}, workspace);
    const label = "label traefik.http.routers.behind-registry-ui.tls.certresolver";
    const library = lines.indexOf("update behind_registry-ui (labels only, no task restarts)");
    expect(lines.slice(library, library + 3)).toEqual([
      "update behind_registry-ui (labels only, no task restarts)",
      `  - ${label}: acme`,
      `  + ${label}: other`,
    ]);
    // The gateway knows what the admin UI's account may do, whether there is one or not.
    expect(lines).toContain("update behind_gateway (labels only, no task restarts)");
    expect(lines.at(-1)).toMatch(/^remove behind_registry-admin /);
  });
});

test("what somebody changed with docker service update is seen, with old and new", async () => {
  await update(
    "reader",
    ...["--label-add", "a=b", "--container-label-add", "c=d"],
    ...["--env-add", "REGISTRY_LOG_LEVEL=debug", "--env-rm", "PRICE", "--env-add", "DB_PASSWORD=s3cr3t"],
    ...["--limit-memory", "400M", "--reserve-cpu", "0.1", "--constraint-add", "node.platform.os == linux"],
    ...["--mount-add", "type=tmpfs,destination=/extra,tmpfs-size=8388608"],
    ...["--health-interval", "7s", "--health-cmd", "true", "--stop-grace-period", "90s"],
    ...["--stop-signal", "SIGINT", "--restart-delay", "9s", "--update-parallelism", "2"],
    // Or the engine itself might put it all back.
    ...["--update-failure-action", "continue", "--rollback-failure-action", "continue"],
    ...["--log-driver", "json-file", "--log-opt", "max-file=5", "--replicas", "2"],
    ...["--cap-add", "CAP_CHOWN", "--hostname", "odd", "--user", "10002:10002", "--read-only=false"],
    ...["--args", "more words", "--init", "--dns-add", "127.0.0.1"],
  );
  const { exitCode, lines, all } = await diff();
  expect(exitCode).toBe(ExitCode.stale);
  expect(all).not.toContain("s3cr3t");
  expect(lines).toEqual([
    "update drift_reader (rolls)",
    "  - added capabilities: CHOWN",
    "  - command: more words",
    "  - container label c: d",
    "  - dns config nameservers: 127.0.0.1",
    "  - environment DB_PASSWORD: (not shown)",
    "  + environment PRICE: 5$ a=b %",
    "  - environment REGISTRY_LOG_LEVEL: debug",
    "  + environment REGISTRY_LOG_LEVEL: warn",
    "  - healthcheck interval: 7s",
    "  + healthcheck interval: 1s",
    "  - healthcheck test: CMD-SHELL true",
    "  + healthcheck test: CMD wget -q -O /dev/null http://127.0.0.1:5000/",
    "  - hostname: odd",
    "  - init: yes",
    "  - label a: b",
    "  - limit of memory: 400M",
    "  + limit of memory: 300M",
    "  - log driver max-file: 5",
    "  + log driver max-file: 3",
    "  + log driver max-size: 10m",
    "  - mount /extra: type tmpfs, size 8M",
    "  - placement constraints: node.platform.os == linux, node.role == manager",
    "  + placement constraints: node.role == manager",
    "  + read-only root: yes",
    "  - replicas: 2",
    "  + replicas: 1",
    "  - reservation of cpus: 0.1",
    "  - restart policy delay: 9s",
    "  + restart policy delay: 5s",
    "  - rollback config failure action: continue",
    "  + rollback config failure action: pause",
    "  - stop grace period: 90s",
    "  + stop grace period: 910s",
    "  - stop signal: SIGINT",
    "  - update config failure action: continue",
    "  + update config failure action: rollback",
    "  - update config parallelism: 2",
    "  + update config parallelism: 1",
    "  - user: 10002:10002",
    "  + user: 10001:10001",
  ]);
});

test("what does not restart a task is told apart, and an image that was changed is seen", async () => {
  await update("registry", "--update-order", "stop-first");
  await update("registry-ui", "--replicas", "0");
  await update("registry-ui", "--image", swarm.images.registry, "--no-resolve-image");
  const { lines } = await diff();
  expect(lines.slice(lines.indexOf("update drift_registry (no task restarts)"))).toEqual([
    "update drift_registry (no task restarts)",
    "  - update config order: stop-first",
    "  + update config order: start-first",
    "update drift_registry-ui (rolls)",
    `  - image: ${swarm.images.registry}`,
    `  + image: ${swarm.images.ui}`,
    "  - replicas: 0",
    "  + replicas: 1",
  ]);
  // Docker keeps such an image where it looks at no registry; then deploy says nothing of it.
  const dry = await target.workspace.hephaestus([...DEPLOY, "--dry-run"], { env: CREDENTIALS });
  expect(dry.all).toContain("update drift_registry-ui (no task restarts)");
  expect(dry.all).not.toContain("image:");
  await update("registry-ui", "--image", swarm.images.ui, "--no-resolve-image");
  // Told to be quiet, a deploy says where the registry is, and nothing of its steps.
  const run = await target.workspace.hephaestus([...DEPLOY, "--quiet"], { env: CREDENTIALS });
  expectOk(run);
  expect(run.stderr).toBe("");
  expect(run.stdout).toContain(`registry  ${target.workspace.registryUrl}`);
  await isUnchanged();
});

test("a config that changed shows what that means for each service, before it is rendered too", async () => {
  const { workspace } = target;
  await writeConfig(workspace, swarm, {
    registry: { ...REGISTRY, delete: true },
    gateway: { ...GATEWAY, resources: { limits: { memory: "256M" } } },
    ui: { title: "Forge and sons" },
  });
  const { exitCode, lines, stderr } = await diff();
  expect(exitCode).toBe(ExitCode.stale);
  expect(stderr).toContain(
    "docker-compose.yml, registry/config.yml, gateway/nginx.conf, gateway/gateway.json: not what the config renders to",
  );
  const short = lines.filter((line) => !/^ {6}/.test(line));
  const config = (name: string) => expect.stringMatching(new RegExp(`: drift_${name}_[0-9a-f]{12}$`));
  expect(short).toEqual([
    "update drift_gateway (rolls)",
    config("gateway-settings"),
    config("gateway-settings"),
    config("gateway"),
    config("gateway"),
    "  - limit of memory: 512M",
    "  + limit of memory: 256M",
    "update drift_registry (rolls)",
    config("registry"),
    config("registry"),
    "update drift_registry-ui (rolls)",
    "  - environment REGISTRY_TITLE: Hephaestus",
    "  + environment REGISTRY_TITLE: Forge and sons",
  ]);
  const content = lines.filter((line) => /^ {6}[-+]/.test(line)).map((line) => line.trim());
  expect(content.slice(-2)).toEqual(["-    enabled: false", "+    enabled: true"]);
  expect(content).toContain('-  "delete": false,');

  await workspace.hephaestus(["render"]);
  const rendered = await diff();
  expect(rendered.stderr).toBe("");
  expect(rendered.lines).toEqual(lines);
});

test("after a rotation nothing would change, but for variables that still hold the old password", async () => {
  const { workspace } = target;
  await writeConfig(workspace, swarm, { registry: REGISTRY, gateway: GATEWAY });
  await workspace.hephaestus(["render"]);
  const rotated = await workspace.hephaestus(["rotate-password", "--no-verify", "--user", USER]);
  expectOk(rotated);
  await isUnchanged();
  const { exitCode, lines, all } = await diff(CREDENTIALS);
  expect(exitCode).toBe(ExitCode.stale);
  expect(lines).toEqual(["update drift_registry (rolls)", "  users: generation 2 -> 3"]);
  expect(all).not.toContain(PASSWORD);
});
