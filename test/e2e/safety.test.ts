import { existsSync } from "node:fs";
import bcrypt from "bcryptjs";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import {
  type Changes,
  CREDENTIALS,
  DEPLOY,
  PASSWORD,
  runningContainers,
  swarmObjects,
  USER,
  writeConfig,
} from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, OPS_SCRIPTS, type Run, Workspace } from "./workspace.js";

const swarm = useSwarm();
let forge: Workspace;

beforeAll(async () => {
  forge = await Workspace.create("trial", 5001, 8081);
  await configure();
});

afterAll(() => forge?.destroy());

async function configure(changes: Changes = {}): Promise<void> {
  await writeConfig(forge, swarm, changes);
  const rendered = await forge.hephaestus(["render"]);
  expectOk(rendered);
}

const nothingExists = async () => {
  expect(await swarmObjects(forge)).toEqual([]);
  expect(existsSync(`${forge.folder}/data`)).toBe(false);
};

describe("before anything is created", () => {
  test("a password that does not open the htpasswd is refused", async () => {
    const run = await forge.hephaestus(DEPLOY, { env: { ...CREDENTIALS, REGISTRY_RAW_PASSWORD: "another" } });
    expect(run.exitCode).toBe(ExitCode.credentials);
    expect(run.stderr).toContain("does not open the account smith");
    await nothingExists();
  });

  test("a hash that is not bcrypt is refused by its line", async () => {
    const htpasswd = `${CREDENTIALS.REGISTRY_HTPASSWD}# machines\nci:{SHA}fEqNCco3Yq9h5ZUglD3CZJT4lBs=\n`;
    const run = await forge.hephaestus(DEPLOY, { env: { ...CREDENTIALS, REGISTRY_HTPASSWD: htpasswd } });
    expect(run.exitCode).toBe(ExitCode.credentials);
    expect(run.stderr).toContain("REGISTRY_HTPASSWD, line 3: the hash of user ci is not bcrypt");
    expect(run.all).not.toContain("fEqNCco3");
    await nothingExists();
  });

  test("every obstacle is named at once, each with its remedy", async () => {
    await writeConfig(forge, swarm, {
      root: {
        expose: "traefik",
        domain: "example.com",
        swarm: { endpointMode: "vip" },
        traefik: { network: "missing-net" },
      },
      registry: { placement: { constraints: ["node.labels.disk == big"] } },
    });
    const run = await forge.hephaestus(DEPLOY);
    expect(run.exitCode).toBe(ExitCode.preflight);
    expect(run.stderr).toContain("6 obstacles");
    for (const part of [
      "authelia/access_control.yml: not there yet",
      "docker-compose.yml, registry/config.yml, gateway/nginx.conf, gateway/gateway.json: not what the config renders to",
      "the network missing-net does not exist",
      "docker network create --driver overlay --attachable missing-net",
      "no ready node fits node.labels.disk == big",
      "this kernel has no IPVS",
      "there is no password yet",
    ]) {
      expect(run.stderr).toContain(part);
    }
    await nothingExists();
    await writeConfig(forge, swarm);
  });

  test("a dry run shows what would be done, and does nothing", async () => {
    const run = await forge.hephaestus([...DEPLOY, "--dry-run"], { env: CREDENTIALS });
    expectOk(run);
    expect(run.all).toContain("generation 1 would be created");
    expect(run.all).toContain("create trial_registry");
    await nothingExists();
  });

  test("an engine that does not answer is named with its remedy", async () => {
    const run = await forge.hephaestus(DEPLOY, {
      env: { ...CREDENTIALS, DOCKER_HOST: "unix:///nonexistent.sock" },
    });
    expect(run.exitCode).toBe(ExitCode.preflight);
    expect(run.stderr).toMatch(/no connection to the engine.*\n.*Start Docker/);
  });
});

describe("a first deploy that does not come to its end", () => {
  beforeAll(() => configure({ ui: { enabled: false } }));
  afterEach(() => forge.clear());

  const args = [...DEPLOY, "--generate-password"];

  /** What a deploy shows opens the account, and neither a lock nor another generation is left. */
  async function expectWhole({ exitCode, all, stdout }: Run): Promise<void> {
    expect(exitCode, all).toBe(ExitCode.ok);
    const password = /password of admin: (\S+)/.exec(stdout)?.[1] ?? "";
    const authorization = basicValue("admin", password);
    const login = await fetch(`${forge.registryUrl}/auth/token`, { headers: { authorization } });
    expect(login.status).toBe(200);
    const names = await swarmObjects(forge);
    expect(names.filter((name) => name.includes("htpasswd"))).toHaveLength(1);
    expect(names).not.toContain("config trial_lock");
  }

  test.each([
    ["SIGKILL", /Secrets \.\.\./],
    ["SIGKILL", /Front door \.\.\./],
  ] as const)("by %s at %s is finished by the next one, with a password that was shown", async (signal, when) => {
    const cut = await forge.hephaestus(args, { killSignalAfter: { signal, when } });
    expect(cut.exitCode).not.toBe(ExitCode.ok);
    await expectWhole(await forge.hephaestus(args));
  });

  test("by SIGINT while the tasks start is finished by one of the next two, and the other one says so", async () => {
    const cut = await forge.hephaestus(args, { killSignalAfter: { signal: "SIGINT", when: /Stack \.\.\./ } });
    expect(cut.exitCode, cut.all).toBe(ExitCode.interrupted);
    expect(await swarmObjects(forge)).not.toContain("config trial_lock");
    const both = await Promise.all([forge.hephaestus(args), forge.hephaestus(args)]);
    const [first, second] = both.sort((one, other) => one.exitCode - other.exitCode) as [Run, Run];
    await expectWhole(first);
    expect(second.exitCode, `${first.all}\n${second.all}`).toBe(ExitCode.locked);
    expect(second.stderr).toMatch(/another operation on trial is running: \S+@\S+ \(process \d+\)/);
  });
});

test("without Node, ops-scripts/deploy.sh deploys what was rendered, and keeps what it finds", async () => {
  await configure();
  const setup = [`${OPS_SCRIPTS}setup_host.sh`, "--path", `${forge.folder}/data`];
  expectOk(await forge.run("sh", setup));
  const script = [`${OPS_SCRIPTS}deploy.sh`, "trial", "docker-compose.yml"];
  const env = { ...CREDENTIALS, HEPHAESTUS_RESOLVE_IMAGE: "never" };

  const wrong = await forge.run("sh", script, { env: { ...env, REGISTRY_RAW_PASSWORD: "another" } });
  expect(wrong.exitCode, wrong.all).toBe(ExitCode.credentials);
  expect(await swarmObjects(forge)).toEqual([]);

  const first = await forge.run("sh", script, { env });
  expectOk(first);
  expect(first.all).not.toContain(PASSWORD);
  const authorization = basicValue(USER, PASSWORD);
  expect((await fetch(`${forge.registryUrl}/auth/token`, { headers: { authorization } })).status).toBe(200);
  expect((await fetch(`${forge.uiUrl}/v2/_catalog`)).status).toBe(200);

  const before = await runningContainers(forge);
  expectOk(await forge.run("sh", script, { env }));
  // Both tools understand each other's secrets.
  const node = await forge.hephaestus(DEPLOY, { env: CREDENTIALS });
  expectOk(node);
  expect(node.all).toContain("generation 1 kept");
  expect(await runningContainers(forge)).toEqual(before);

  // Another password is an error that names the way; the way is hephaestus, after which the script keeps it.
  const fresh = "Second-heat-8";
  const line = `${USER}:${bcrypt.hashSync(fresh, 10)}\n`;
  const another = { ...env, REGISTRY_HTPASSWD: line, REGISTRY_RAW_PASSWORD: fresh };
  const changed = await forge.run("sh", script, { env: another });
  expect(changed.exitCode, changed.all).toBe(ExitCode.credentials);
  expect(changed.all).toContain(`hephaestus rotate-password --user ${USER}`);
  expect(changed.all).not.toContain(fresh);
  expect(await runningContainers(forge)).toEqual(before);
  const rotated = await forge.hephaestus(DEPLOY, { env: { ...CREDENTIALS, ...another } });
  expectOk(rotated);
  const login = { authorization: basicValue(USER, fresh) };
  expect((await fetch(`${forge.registryUrl}/auth/token`, { headers: login })).status).toBe(200);
  const kept = async () => (await runningContainers(forge)).filter((id) => before.includes(id));
  await expect.poll(kept, { timeout: 30_000 }).toHaveLength(before.length - 1);
  const { stdout } = await forge.docker("secret", "ls", "--format", "{{.Name}}");
  expect(stdout.split("\n").sort()).toEqual([
    "trial_gateway_1",
    "trial_htpasswd_2",
    "trial_http-secret_1",
    "trial_ui_1",
  ]);
  const then = await forge.run("sh", script, { env: another });
  expectOk(then);
  expect(then.all).toContain("generation 2 kept");
});
