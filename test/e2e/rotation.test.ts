import { mkdtemp, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { story } from "../support/story.js";
import { findLeaks } from "./leaks.js";
import { push, putManifest, randomBlob } from "./load.js";
import { watchProcesses } from "./processes.js";
import { CONNECTIONS, slowUpload, startTraffic } from "./rotation/traffic.js";
import {
  BCRYPT_COST,
  CREDENTIALS,
  DEPLOY,
  PASSWORD,
  QUICK_TO_FORGET,
  runningContainers,
  swarmObjects,
  USER,
  writeConfig,
} from "./stack.js";
import { useSwarm } from "./swarm.js";
import { CLI, expectOk, OPS_SCRIPTS, type Run, Workspace } from "./workspace.js";

/** Passwords that change under load, on a real Swarm. */

const swarm = useSwarm();
story();
const SECOND = { user: "wayland", password: "Ring-of-swords-9" };
let forge: Workspace;
let password = PASSWORD;
const seen: string[] = [];

/** What a login with this password is answered. */
async function login(user: string, secret: string): Promise<number> {
  const { status } = await fetch(`${forge.registryUrl}/auth/token`, {
    headers: { authorization: basicValue(user, secret) },
  });
  return status;
}

async function run(args: string[], settings: Parameters<Workspace["hephaestus"]>[1] = {}): Promise<Run> {
  const result = await forge.hephaestus(args, settings);
  seen.push(result.stderr);
  return result;
}

const secretNames = async () =>
  (await swarmObjects(forge)).filter((name) => name.startsWith("secret ")).map((name) => name.slice(7));

beforeAll(async () => {
  forge = await Workspace.create("turn", 5000, 8080);
  await writeConfig(forge, swarm, { gateway: QUICK_TO_FORGET });
  await forge.hephaestus(["render"]);
  const line = `${SECOND.user}:${bcrypt.hashSync(SECOND.password, BCRYPT_COST)}\n`;
  const env = { ...CREDENTIALS, REGISTRY_HTPASSWD: CREDENTIALS.REGISTRY_HTPASSWD + line };
  const deployed = await forge.hephaestus(DEPLOY, { env });
  expectOk(deployed);
});

afterAll(() => forge.destroy());

test("two rotations under load: no pull fails, no push of another user, and a running push finishes", async () => {
  const authorization = basicValue(SECOND.user, SECOND.password);
  const layer = randomBlob(50_000);
  await push(forge.registryUrl, "tools/hello", [layer], { authorization });
  const mediaType = await putManifest(forge.registryUrl, "tools/hello", [layer], { authorization });
  const before = await runningContainers(forge);
  const traffic = startTraffic(
    forge.registryUrl,
    "tools/hello",
    { digest: layer.digest, mediaType },
    authorization,
  );
  const slow = await slowUpload(forge.registryUrl, "tools/slow", authorization);
  const shown: string[] = [];
  try {
    for (let rotation = 0; rotation < 2; rotation++) {
      // Where the environment holds the old password, the command itself proves that it is refused.
      const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password };
      const proves = rotation === 1;
      const rotated = await run(["rotate-password", "--user", USER], proves ? { env } : {});
      expectOk(rotated);
      // Into a pipe goes the password alone.
      expect(rotated.stdout).toMatch(/^[2-9A-HJ-NP-Za-km-z]{24}\n?$/);
      expect(rotated.stderr.includes(`the old password of ${USER} is refused`)).toBe(proves);
      const [old, fresh] = [password, rotated.stdout.trim()];
      expect(await login(USER, fresh)).toBe(200);
      if (proves) expect(await login(USER, old)).toBe(401);
      shown.push(fresh);
      password = fresh;
    }
  } finally {
    const { manifests, blobs, pushes, failures } = await traffic.stop();
    console.log(
      `2 rotations: ${manifests} manifests and ${blobs} blobs pulled over ${CONNECTIONS} connections, ${pushes} pushes, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
    expect(Math.min(manifests, blobs)).toBeGreaterThan(0);
    expect(pushes).toBeGreaterThan(0);
  }
  expect(await slow.finish()).toBe(201);
  expect(new Set(shown).size).toBe(2);
  // Only the registry's task is another one; the first one drained until the slow upload was through.
  const kept = async () => {
    const running = await runningContainers(forge);
    return [running.length, running.filter((id) => before.includes(id)).length];
  };
  await expect.poll(kept, { timeout: 30_000 }).toEqual([before.length, before.length - 1]);
  expect(await secretNames()).toEqual([
    "turn_gateway_1",
    "turn_htpasswd_3",
    "turn_http-secret_1",
    "turn_ui_1",
  ]);
});

test("a deploy with the same password changes nothing, with another one it rotates", async () => {
  const before = await runningContainers(forge);
  const hash = () => `${USER}:${bcrypt.hashSync(password, 10)}\n`;
  const variables = () => ({
    REGISTRY_HTPASSWD: hash(),
    REGISTRY_USERNAME: USER,
    REGISTRY_RAW_PASSWORD: password,
  });
  for (const env of [variables(), {}]) {
    const again = await run(DEPLOY, { env });
    expectOk(again);
    expect(again.all).toContain("generation 3 kept");
  }
  expect(await runningContainers(forge)).toEqual(before);

  password = "Second-heat-8";
  const changed = await run(DEPLOY, { env: variables() });
  expectOk(changed);
  expect(changed.all).toContain(`generation 4 created: new password of ${USER}`);
  expect(await login(USER, password)).toBe(200);
  expect(await login(SECOND.user, SECOND.password)).toBe(200);
  expect(await secretNames()).toContain("turn_htpasswd_4");
  expect(await secretNames()).not.toContain("turn_htpasswd_3");
});

test("users come and go from another checkout, which has nothing but the committed files", async () => {
  const laptop = await forge.secondCheckout();
  const list = async () => {
    const listed = await laptop.hephaestus(["user", "list", "--json"]);
    expectOk(listed);
    expect(listed.all).not.toMatch(/\$2/);
    return (JSON.parse(listed.stdout) as { users: Array<{ user: string; cost: number; changed: string }> })
      .users;
  };
  expect((await list()).map(({ user, cost }) => [user, cost])).toEqual([
    [USER, 10],
    [SECOND.user, BCRYPT_COST],
  ]);

  const file = `${laptop.folder}/ci-password`;
  const added = await laptop.hephaestus(["user", "add", "ci", "--password-file", file, "--length", "32"]);
  expectOk(added);
  const given = (await readFile(file, "utf8")).trim();
  expect(given).toHaveLength(32);
  expect(((await stat(file)).mode & 0o777).toString(8)).toBe("600");
  expect(added.all).not.toContain(given);
  expect(await login("ci", given)).toBe(200);
  const [, , ci] = await list();
  // A generated password needs no stretching.
  expect([ci?.user, ci?.cost]).toEqual(["ci", 4]);
  expect(Date.now() - Date.parse(ci?.changed ?? "")).toBeLessThan(120_000);

  const twice = await laptop.hephaestus(["user", "add", "ci"]);
  expect(twice.exitCode).toBe(ExitCode.credentials);
  expect(twice.all).toContain("the user ci exists already");

  const removed = await laptop.hephaestus(["user", "remove", SECOND.user]);
  expectOk(removed);
  expect((await list()).map(({ user }) => user)).toEqual([USER, "ci"]);
  expect(await login("ci", given)).toBe(200);
  expect(await login(USER, password)).toBe(200);
});

test("users are read back where no task of the registry runs", async () => {
  const scaled = await forge.docker("service", "scale", "--detach", "turn_registry=0");
  expectOk(scaled);
  const filter = "label=com.docker.swarm.service.name=turn_registry";
  const running = async () => (await forge.docker("ps", "--quiet", "--filter", filter)).stdout.trim();
  await expect.poll(running, { timeout: 30_000 }).toBe("");
  const listed = await run(["user", "list"]);
  expectOk(listed);
  expect(listed.stdout).toContain(USER);
  expect((await forge.docker("service", "ls", "--format", "{{.Name}}")).stdout).not.toContain(
    "htpasswd-reader",
  );
  const healed = await run(DEPLOY);
  expectOk(healed);
  expect(await login(USER, password)).toBe(200);
});

const inspectAll = async () => {
  const { stdout } = await forge.docker("stack", "services", "--format", "{{.Name}}", "turn");
  const names = stdout.split("\n").sort();
  const { stdout: specs } = await forge.docker("service", "inspect", ...names);
  return (JSON.parse(specs) as Array<{ Spec: { Name: string } }>).map(({ Spec }) => Spec);
};

test("a change of users changes one secret of the registry, whatever the checkout or the folder", async () => {
  const before = await inspectAll();
  // An old checkout: another image, another title, another port, and nothing rendered.
  const old = await forge.secondCheckout();
  const text = await readFile(`${old.folder}/hephaestus.yaml`, "utf8");
  const changed = JSON.parse(text) as {
    registry: { image: string };
    ui: object;
    ports: { registry: number };
  };
  changed.registry.image = "no/such:2";
  changed.ui = { ...changed.ui, enabled: false };
  changed.ports.registry = 5999;
  await writeFile(`${old.folder}/hephaestus.yaml`, JSON.stringify(changed));
  await rm(`${old.folder}/docker-compose.yml`);
  const rotated = await old.hephaestus(["rotate-password", "--user", USER]);
  expectOk(rotated);
  password = rotated.stdout.trim();
  expect(await login(USER, password)).toBe(200);

  const several = await run(["rotate-password"]);
  expect(several.exitCode).toBe(ExitCode.usage);
  expect(several.stderr).toMatch(/there are several users: smith, ci\n.*--user smith/s);
  const elsewhere = await mkdtemp(`${tmpdir()}/elsewhere-`);
  const removal = [process.execPath, CLI, "user", "remove", "ci", "--stack", "turn"];
  const removed = await forge.run("sh", ["-c", 'cd "$0" && exec "$@"', elsewhere, ...removal]);
  await rm(elsewhere, { recursive: true });
  expectOk(removed);

  const withoutHtpasswd = (specs: unknown) =>
    JSON.stringify(specs).replace(/turn_htpasswd_\d+|"SecretID":"\w+"/g, "");
  expect(withoutHtpasswd(await inspectAll())).toBe(withoutHtpasswd(before));
});

test("the only user need not be named", async () => {
  const only = await run(["rotate-password"]);
  expectOk(only);
  password = only.stdout.trim();
  expect(await login(USER, password)).toBe(200);
  const deployed = await run(DEPLOY);
  expectOk(deployed);
  expect(deployed.stdout).toContain(`docker login -u ${USER} `);
});

test("a clean-up that takes the markers and the history costs nobody the account", {
  timeout: 300_000,
}, async () => {
  const remove = async () => {
    const { stdout } = await forge.docker("config", "ls", "--format", "{{.Name}}");
    const unused = stdout.split("\n").filter((name) => /_(?:handed-over|history)_/.test(name));
    expect(unused.some((name) => name.includes("handed-over"))).toBe(true);
    await forge.docker("config", "rm", ...unused);
  };
  const add = await run(["user", "add", "ann"]);
  expectOk(add);
  const ann = add.stdout.trim();
  await remove();
  const kept = await run(DEPLOY);
  expectOk(kept);
  expect(kept.all).toContain("nothing shows that anyone was given the generated password");
  const line = (user: string, secret: string) => `${user}:${bcrypt.hashSync(secret, 10)}\n`;
  const env = {
    REGISTRY_HTPASSWD: line("carl", "Third-party-3"),
    REGISTRY_USERNAME: "carl",
    REGISTRY_RAW_PASSWORD: "Third-party-3",
  };
  const deployed = await run(DEPLOY, { env });
  expectOk(deployed);
  for (const [user, secret] of [
    [USER, password],
    ["ann", ann],
    ["carl", "Third-party-3"],
  ] as const)
    expect(await login(user, secret), user).toBe(200);

  expectOk(await run(["user", "remove", "carl"]));
  const again = await run(["rotate-password", "--user", "ann"]);
  expectOk(again);
  await remove();
  const script = ["-c", `sh ${OPS_SCRIPTS}deploy.sh turn docker-compose.yml`];
  for (const [variables, exitCode] of [
    [{}, ExitCode.ok],
    [env, ExitCode.credentials],
  ] as const) {
    const shell = await forge.run("sh", script, { env: { ...variables, HEPHAESTUS_RESOLVE_IMAGE: "never" } });
    expect(shell.exitCode, shell.all).toBe(exitCode);
    if (variables === env) expect(shell.all).toContain("there is no user carl: hephaestus user add carl");
  }
  for (const [user, secret] of [
    [USER, password],
    ["ann", again.stdout.trim()],
  ] as const)
    expect(await login(user, secret), user).toBe(200);
  // The gateway may remember the password.
  await expect.poll(() => login("carl", "Third-party-3"), { timeout: 60_000, interval: 1000 }).toBe(401);
});

test("a rotation that does not converge leaves the old password and no new secret", async () => {
  const names = await secretNames();
  // The task that runs keeps its storage; no new one can start.
  await rename(`${forge.folder}/data`, `${forge.folder}/data-elsewhere`);
  const failed = await run(["rotate-password", "--user", USER, "--timeout", "30"]);
  await rename(`${forge.folder}/data-elsewhere`, `${forge.folder}/data`);
  expect(failed.exitCode, failed.all).toBe(ExitCode.rollout);
  expect(failed.stdout).toBe("");
  expect(failed.all).toContain("The old passwords are valid.");
  expect(await login(USER, password)).toBe(200);
  expect(await secretNames()).toEqual(names);
  const healed = await run(DEPLOY);
  expectOk(healed);
  expect(await login(USER, password)).toBe(200);
  expect(await secretNames()).toEqual(names);
});

test("secrets tells what is used and what is left over, and prune removes that alone", async () => {
  const label = "hephaestus.stack=turn";
  await forge.run("docker", ["secret", "create", "--label", label, "turn_htpasswd_99", "-"], { input: "x" });
  await forge.run("docker", ["secret", "create", "turn_other", "-"], { input: "x" });
  const listed = await run(["secrets"]);
  expectOk(listed);
  expect(listed.stdout).toMatch(/turn_htpasswd_99 +99 +0 days +orphan/);
  expect(listed.stdout).toMatch(/turn_gateway_1 +1 +0 days +in use +gateway/);
  expect(listed.stdout).not.toContain("turn_other");
  const dry = await run(["secrets", "prune", "--dry-run", "--config", "hephaestus.yaml"]);
  expect(dry.stdout).toBe("would remove turn_htpasswd_99");
  const pruned = await run(["secrets", "prune"]);
  expect(pruned.stdout, pruned.all).toBe("removed turn_htpasswd_99");
  expect(await secretNames()).toContain("turn_other");
  expect(await secretNames()).not.toContain("turn_htpasswd_99");
  await forge.docker("secret", "rm", "turn_other");
});

test("no password is seen in argv, environments, labels, logs, output or files", async () => {
  const fresh = "Fourth-heat-7";
  const basics = [password, fresh].map((secret) => Buffer.from(`${USER}:${secret}`).toString("base64"));
  const secrets = [password, fresh, ...basics];
  const watch = watchProcesses(secrets);
  const rotated = await run(["rotate-password", "--user", USER, "--password-stdin", "--verbose"], {
    input: `${fresh}\n`,
    // The old one comes as CI has it.
    env: { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password },
    onStart: watch.expectIn,
  });
  expectOk(rotated);
  expect(rotated.all).toContain("POST /secrets/create");
  expect(watch.stop()).toEqual([]);
  expect(await findLeaks(forge, secrets, { output: rotated.all, outputs: seen.join("\n") })).toEqual([]);
  password = fresh;
  expect(await login(USER, password)).toBe(200);
});

test("a dry run touches nothing", async () => {
  const names = await secretNames();
  const dry = await run(["rotate-password", "--user", USER, "--dry-run"]);
  expectOk(dry);
  expect(dry.all).toContain(`would be created: new password of ${USER}`);
  expect(dry.stdout).toBe("");
  expect(await secretNames()).toEqual(names);
  for (const output of seen) expect(output).not.toContain(password);
});
