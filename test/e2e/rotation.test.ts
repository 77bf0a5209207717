import { readFile, stat, writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { findLeaks } from "./leaks.js";
import { push, putManifest, randomBlob } from "./load.js";
import { watchProcesses } from "./processes.js";
import { slowUpload, startTraffic } from "./rotation/traffic.js";
import {
  CREDENTIALS,
  DEPLOY,
  PASSWORD,
  runningContainers,
  swarmObjects,
  USER,
  writeConfig,
} from "./stack.js";
import { useSwarm } from "./swarm.js";
import { type Run, Workspace } from "./workspace.js";

/** Passwords that change under load, on a real Swarm. */

const swarm = useSwarm();
const SECOND = { user: "wayland", password: "Ring-of-swords-9" };
let forge: Workspace;
let password = PASSWORD;
const seen: string[] = [];

const basicOf = (user: string, secret: string) =>
  `Basic ${Buffer.from(`${user}:${secret}`).toString("base64")}`;

/** What a login with this password is answered. */
async function login(user: string, secret: string): Promise<number> {
  const { status } = await fetch(`${forge.registryUrl}/auth/token`, {
    headers: { authorization: basicOf(user, secret) },
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
  await writeConfig(forge, swarm);
  await forge.hephaestus(["render"]);
  const line = `${SECOND.user}:${bcrypt.hashSync(SECOND.password, 10)}\n`;
  const env = { ...CREDENTIALS, REGISTRY_HTPASSWD: CREDENTIALS.REGISTRY_HTPASSWD + line };
  const deployed = await forge.hephaestus(DEPLOY, { env });
  expect(deployed.exitCode, deployed.all).toBe(ExitCode.ok);
});

afterAll(() => forge.destroy());

test("three rotations under load: no pull fails, no push of another user, and a running push finishes", async () => {
  const authorization = basicOf(SECOND.user, SECOND.password);
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
    for (let rotation = 0; rotation < 3; rotation++) {
      // Where the environment holds the old password, the command itself proves that it is refused.
      const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password };
      const proves = rotation === 2;
      const rotated = await run(["rotate-password", "--user", USER], proves ? { env } : {});
      expect(rotated.exitCode, rotated.all).toBe(ExitCode.ok);
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
      `3 rotations: ${manifests} manifests and ${blobs} blobs pulled over 16 connections, ${pushes} pushes, ${failures.length} failed`,
    );
    expect(failures).toEqual([]);
    expect(Math.min(manifests, blobs)).toBeGreaterThan(100);
    expect(pushes).toBeGreaterThan(10);
  }
  expect(await slow.finish()).toBe(201);
  expect(new Set(shown).size).toBe(3);
  // Only the registry's task is another one; the first one drained until the slow upload was through.
  const kept = async () => (await runningContainers(forge)).filter((id) => before.includes(id)).length;
  await expect.poll(kept, { timeout: 30_000 }).toBe(before.length - 1);
  expect(await secretNames()).toEqual([
    "turn_gateway_1",
    "turn_htpasswd_4",
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
  for (const env of [variables(), variables(), {}]) {
    const again = await run(DEPLOY, { env });
    expect(again.exitCode, again.all).toBe(ExitCode.ok);
    expect(again.all).toContain("generation 4 kept");
  }
  expect(await runningContainers(forge)).toEqual(before);

  password = "Second-heat-8";
  const changed = await run(DEPLOY, { env: variables() });
  expect(changed.exitCode, changed.all).toBe(ExitCode.ok);
  expect(changed.all).toContain(`generation 5 created: new password of ${USER}`);
  expect(await login(USER, password)).toBe(200);
  expect(await login(SECOND.user, SECOND.password)).toBe(200);
  expect(await secretNames()).toContain("turn_htpasswd_5");
  expect(await secretNames()).not.toContain("turn_htpasswd_4");
});

test("users come and go from another checkout, which has nothing but the committed files", async () => {
  const laptop = await forge.secondCheckout();
  const list = async () => {
    const listed = await laptop.hephaestus(["user", "list", "--json"]);
    expect(listed.exitCode, listed.all).toBe(ExitCode.ok);
    expect(listed.all).not.toMatch(/\$2/);
    return (JSON.parse(listed.stdout) as { users: Array<{ user: string; cost: number; changed: string }> })
      .users;
  };
  expect((await list()).map(({ user, cost }) => [user, cost])).toEqual([
    [USER, 10],
    [SECOND.user, 10],
  ]);

  const file = `${laptop.folder}/ci-password`;
  const added = await laptop.hephaestus(["user", "add", "ci", "--output", file, "--length", "32"]);
  expect(added.exitCode, added.all).toBe(ExitCode.ok);
  const given = (await readFile(file, "utf8")).trim();
  expect(given).toHaveLength(32);
  expect(((await stat(file)).mode & 0o777).toString(8)).toBe("600");
  expect(added.all).not.toContain(given);
  expect(await login("ci", given)).toBe(200);
  const [, , ci] = await list();
  expect([ci?.user, ci?.cost]).toEqual(["ci", 12]);
  expect(Date.now() - Date.parse(ci?.changed ?? "")).toBeLessThan(120_000);

  const twice = await laptop.hephaestus(["user", "add", "ci"]);
  expect(twice.exitCode).toBe(ExitCode.credentials);
  expect(twice.all).toContain("there is a user ci already");

  const removed = await laptop.hephaestus(["user", "remove", SECOND.user]);
  expect(removed.exitCode, removed.all).toBe(ExitCode.ok);
  expect((await list()).map(({ user }) => user)).toEqual([USER, "ci"]);
  expect(await login("ci", given)).toBe(200);
  expect(await login(USER, password)).toBe(200);
});

test("users are read back where no task of the registry runs", async () => {
  const scaled = await forge.docker("service", "scale", "--detach", "turn_registry=0");
  expect(scaled.exitCode, scaled.all).toBe(0);
  const filter = "label=com.docker.swarm.service.name=turn_registry";
  const running = async () => (await forge.docker("ps", "--quiet", "--filter", filter)).stdout.trim();
  await expect.poll(running, { timeout: 30_000 }).toBe("");
  const listed = await run(["user", "list"]);
  expect(listed.exitCode, listed.all).toBe(ExitCode.ok);
  expect(listed.stdout).toContain(USER);
  expect((await forge.docker("service", "ls", "--format", "{{.Name}}")).stdout).not.toContain(
    "htpasswd-reader",
  );
  const healed = await run(DEPLOY);
  expect(healed.exitCode, healed.all).toBe(ExitCode.ok);
  expect(await login(USER, password)).toBe(200);
});

test("a rotation that does not converge leaves the old password and no new secret", async () => {
  const names = await secretNames();
  // A registry that cannot start: the next task of it has no image.
  const config = await readFile(`${forge.folder}/hephaestus.yaml`, "utf8");
  await writeFile(`${forge.folder}/hephaestus.yaml`, config.replace(swarm.images.registry, "no/such:2"));
  await forge.hephaestus(["render"]);
  const failed = await run(["rotate-password"], { env: { REGISTRY_USERNAME: USER } });
  expect(failed.exitCode, failed.all).toBe(ExitCode.rollout);
  expect(failed.stdout).toBe("");
  expect(failed.all).toContain("The passwords from before are valid.");
  expect(await login(USER, password)).toBe(200);
  expect(await secretNames()).toEqual(names);
  await writeFile(`${forge.folder}/hephaestus.yaml`, config);
  await forge.hephaestus(["render"]);
});

test("secrets tells what is used and what is left over, and prune removes that alone", async () => {
  const label = "hephaestus.stack=turn";
  await forge.run("docker", ["secret", "create", "--label", label, "turn_htpasswd_99", "-"], { input: "x" });
  await forge.run("docker", ["secret", "create", "turn_other", "-"], { input: "x" });
  const listed = await run(["secrets"]);
  expect(listed.exitCode, listed.all).toBe(ExitCode.ok);
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
  expect(rotated.exitCode, rotated.all).toBe(ExitCode.ok);
  expect(rotated.all).toContain("docker secret create");
  expect(watch.stop()).toEqual([]);
  expect(await findLeaks(forge, secrets, { output: rotated.all, outputs: seen.join("\n") })).toEqual([]);
  password = fresh;
  expect(await login(USER, password)).toBe(200);
});

test("a dry run touches nothing", async () => {
  const names = await secretNames();
  const dry = await run(["rotate-password", "--user", USER, "--dry-run"]);
  expect(dry.exitCode, dry.all).toBe(ExitCode.ok);
  expect(dry.all).toContain(`would be created: new password of ${USER}`);
  expect(dry.stdout).toBe("");
  expect(await secretNames()).toEqual(names);
  for (const output of seen) expect(output).not.toContain(password);
});
