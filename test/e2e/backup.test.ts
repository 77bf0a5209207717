import { randomBytes } from "node:crypto";
import {
  closeSync,
  copyFileSync,
  existsSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  statSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { blobPath } from "../../src/storage/layout.js";
import { Target } from "./attacks/target.js";
import { MEDIA } from "./clients/images.js";
import { findLeaks } from "./leaks.js";
import { inParallel, type Population, Pusher, populate, pullFaults } from "./population.js";
import { watchProcesses } from "./processes.js";
import { CREDENTIALS, SECRETS } from "./stack.js";
import { useSwarm } from "./swarm.js";
import type { Run, RunSettings } from "./workspace.js";

/** Backups of a registry that goes on, and what comes back from them. */

const swarm = useSwarm();
const MIB = 1024 ** 2;
/** Layers that take a while to read, so that a backup can be killed between them. */
const LARGE = { number: 12, size: 5 * MIB };
let target: Target;
let population: Population;

/** In the folder of the workspace. */
const FILE = "registry.backup";

beforeAll(async () => {
  target = await Target.deploy("keep", [5000, 8080], swarm, { registry: { delete: true } });
  const { registryUrl } = target.workspace;
  population = await populate(registryUrl, { repositories: 20, tagsPerRepository: 10 });
  const pusher = new Pusher(registryUrl);
  const layers = await inParallel(Array.from({ length: LARGE.number }), () =>
    pusher.upload("team/large", MEDIA.layer, gzipSync(randomBytes(LARGE.size), { level: 0 })),
  );
  remember(pusher, "team/large:1", (await pusher.image("team/large", layers, "1")).digest);
  remember(pusher, "team/cache:buildkit", (await pusher.buildCache("team/cache", "buildkit")).digest);
  const doomed = await pusher.image("team/gone", [], "1");
  await pusher.remove("team/gone", doomed.digest);
  const run = await backup(FILE);
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
});

afterAll(() => target?.destroy());

function remember(pusher: Pusher, name: string, digest: string): void {
  population.manifests.set(name, digest);
  for (const [key, bytes] of pusher.manifestBytes) population.manifestBytes.set(key, bytes);
  for (const [key, blob] of pusher.blobs) {
    if (blob.repository !== "team/gone") population.blobs.set(key, blob);
  }
}

const backup = (file: string, settings: RunSettings = {}): Promise<Run> =>
  target.workspace.hephaestus(["backup", file], settings);

const restore = (file: string, ...more: string[]): Promise<Run> =>
  target.workspace.hephaestus(["restore", file, ...more]);

/** The result of a run with --json. */
function resultOf<T>(run: Run): T {
  const lines = run.stdout.split("\n").map((line) => JSON.parse(line) as { event: string });
  return lines.find(({ event }) => event === "result") as T;
}

interface Told {
  tags: number;
  blobs: number;
  read: { blobs: number; bytes: number };
  resumed: { blobs: number; bytes: number };
  written: number;
}

const inFolder = (file: string) => `${target.workspace.folder}/${file}`;

test("a backup is whole, of mode 0600, and a second one adds little", async () => {
  expect(statSync(inFolder(FILE)).mode & 0o777).toBe(0o600);
  expect(existsSync(inFolder(`${FILE}.journal`))).toBe(false);
  const proof = await restore(FILE, "--dry-run");
  expect(proof.exitCode, proof.all).toBe(ExitCode.ok);
  expect(proof.stdout).toMatch(/^203 tags, 205 images, .* all whole$/m);

  copyFileSync(inFolder(FILE), inFolder("more.backup"));
  const before = readFileSync(inFolder("more.backup"));
  const pusher = new Pusher(target.workspace.registryUrl);
  remember(pusher, "team/app-3:new", (await pusher.image("team/app-3", [], "new")).digest);
  const watch = watchProcesses(SECRETS);
  const run = await target.workspace.hephaestus(["backup", "more.backup", "--json"]);
  expect(watch.stop()).toEqual([]);
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  expect(SECRETS.filter((secret) => run.all.includes(secret))).toEqual([]);
  const told = resultOf<Told>(run);
  expect(told.tags).toBe(204);
  expect(told.read.blobs).toBe(3);
  expect(told.written).toBeLessThan(before.length / 100);
  const after = readFileSync(inFolder("more.backup"));
  expect(after.length - before.length).toBe(told.written);
  expect(after.subarray(0, before.length).equals(before)).toBe(true);
  const again = await restore("more.backup", "--dry-run");
  expect(again.exitCode, again.all).toBe(ExitCode.ok);
  expect(again.stdout).toContain("204 tags");
});

test("plain tar opens it: the registry's files as they are, the config, and the people alone", async () => {
  const folder = inFolder("opened");
  await mkdir(folder);
  const tar = await target.workspace.run("tar", ["-xzf", inFolder(FILE), "-C", folder]);
  expect(tar.all).toBe("");
  expect(tar.exitCode).toBe(0);
  const files = (root: string) =>
    readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => `${entry.parentPath}/${entry.name}`.slice(root.length + 1));
  const opened = files(`${folder}/docker`);
  for (const path of opened) {
    const stored = readFileSync(`${target.storage}/docker/${path}`);
    if (!stored.equals(readFileSync(`${folder}/docker/${path}`))) throw new Error(`${path} has other bytes.`);
  }
  const tags = (paths: string[]) =>
    paths.filter((path) => path.endsWith("/current/link") && !path.includes("/new/"));
  expect(tags(opened).sort()).toEqual(tags(files(`${target.storage}/docker`)).sort());
  expect(opened.some((path) => path.includes("_uploads"))).toBe(false);
  const config = readFileSync(`${folder}/hephaestus/hephaestus.yaml`, "utf8");
  expect(config).toBe(readFileSync(inFolder("hephaestus.yaml"), "utf8"));
  const htpasswd = readFileSync(`${folder}/hephaestus/htpasswd`, "utf8");
  expect(htpasswd).toBe(CREDENTIALS.REGISTRY_HTPASSWD);
  await rm(folder, { recursive: true });
});

test("pushes and deletes during a backup never fail, and it is consistent", async () => {
  const { registryUrl } = target.workspace;
  const pusher = new Pusher(registryUrl);
  const victims: string[] = [];
  for (let number = 0; number < 12; number++)
    victims.push((await pusher.image(`busy/old-${number % 3}`, [], `v${number}`)).digest);
  let finished = false;
  const run = backup("busy.backup").finally(() => {
    finished = true;
  });
  let pushed = 0;
  const push = async (worker: number) => {
    for (; !finished; pushed++) {
      const repository = `busy/app-${pushed % 7}`;
      const child = await pusher.image(repository, [], undefined);
      const parts = { manifests: [{ ...child, platform: { os: "linux", architecture: "amd64" } }] };
      await pusher.manifest(repository, `w${worker}-${pushed % 5}`, MEDIA.index, parts);
    }
  };
  const remove = async () => {
    for (const [number, digest] of victims.entries()) {
      if (finished) break;
      await pusher.remove(`busy/old-${number % 3}`, digest);
      await new Promise((resolve) => setTimeout(resolve, 200));
    }
  };
  await Promise.all([push(0), push(1), remove()]);
  const { exitCode, all } = await run;
  expect(exitCode, all).toBe(ExitCode.ok);
  expect(pushed).toBeGreaterThan(10);
  const proof = await restore("busy.backup", "--dry-run");
  expect(proof.exitCode, proof.all).toBe(ExitCode.ok);
});

/** Ends a backup with a signal as soon as its file has so many bytes. */
function endedAt(file: string, bytes: number, signal: NodeJS.Signals): Promise<Run> {
  let timer: NodeJS.Timeout;
  const run = backup(file, {
    onStart: (pid) => {
      timer = setInterval(() => {
        if ((statSync(inFolder(file), { throwIfNoEntry: false })?.size ?? 0) < bytes) return;
        clearInterval(timer);
        process.kill(pid, signal);
      }, 2);
    },
  });
  return run.finally(() => clearInterval(timer));
}

test("a backup that is interrupted, then killed, is resumed, reads nothing twice, and is right", async () => {
  const file = inFolder("killed.backup");
  const containers = () => target.docker("ps", "--all", "--quiet", "--filter", "name=keep_storage");
  const interrupted = await endedAt("killed.backup", 2 * LARGE.size, "SIGINT");
  expect(interrupted.exitCode, interrupted.all).toBe(ExitCode.interrupted);
  expect(await containers()).toBe("");
  const killed = await endedAt("killed.backup", statSync(file).size + 2 * LARGE.size, "SIGKILL");
  expect(killed.exitCode, killed.all).toBe(255);
  expect(killed.all).toMatch(/resuming: \d+ blobs/);
  expect(existsSync(`${file}.journal`)).toBe(true);
  const refused = await restore("killed.backup", "--dry-run");
  expect(refused.exitCode).toBe(ExitCode.preflight);
  expect(refused.all).toContain("to resume it");

  const run = await target.workspace.hephaestus(["backup", "killed.backup", "--json"]);
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  const { blobs, read, resumed } = resultOf<Told>(run);
  expect(resumed.bytes).toBeGreaterThan(3 * LARGE.size);
  expect(read.blobs + resumed.blobs).toBe(blobs);
  expect(existsSync(`${file}.journal`)).toBe(false);
  const proof = await restore("killed.backup", "--dry-run");
  expect(proof.exitCode, proof.all).toBe(ExitCode.ok);
  expect(await containers()).toBe("");
});

test("restore on a registry that runs brings back what was deleted, and asks before it mixes with other images", async () => {
  const { registryUrl } = target.workspace;
  const lost = "team/app-5";
  const digest = population.manifests.get(`${lost}:v1`) ?? "";
  const pusher = new Pusher(registryUrl);
  await pusher.image("team/newer", [], "1");
  await pusher.remove(lost, digest);
  const headers = { accept: MEDIA.manifest };
  const status = async (path: string) => (await fetch(`${registryUrl}/v2/${path}`, { headers })).status;
  expect(await status(`${lost}/manifests/v2`)).toBe(200);
  expect(await status(`${lost}/manifests/v1`)).toBe(404);
  const asked = await restore(FILE, "--resolve-image", "never");
  expect(asked.exitCode, asked.all).toBe(ExitCode.preflight);
  expect(asked.all).toContain("--force");
  expect(await status(`${lost}/manifests/v1`)).toBe(404);
  const run = await restore(FILE, "--force", "--resolve-image", "never");
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  expect(await status(`${lost}/manifests/v1`)).toBe(200);
  expect(await status(`${lost}/manifests/${digest}`)).toBe(200);
  expect(await status("team/newer/manifests/1")).toBe(200);
});

/** Turns a bit of a file over; again turns it back. */
function flip(file: string, offset: number): void {
  const handle = openSync(file, "r+");
  const byte = Buffer.alloc(1);
  readSync(handle, byte, 0, 1, offset);
  byte[0] = (byte[0] ?? 0) ^ 1;
  writeSync(handle, byte, 0, 1, offset);
  closeSync(handle);
}

test("a flipped bit in the storage is named by a backup and by a proof after a restore", async () => {
  const layer = [...population.blobs].find(([, { bytes }]) => bytes.length >= LARGE.size)?.[0] ?? "";
  const stored = `${target.storage}/${blobPath(layer)}`;
  flip(stored, 4_000_000);
  try {
    const run = await backup("flipped.backup");
    expect(run.exitCode, run.all).toBe(ExitCode.verify);
    expect(run.all).toContain(`${layer} does not match its digest`);
    expect(run.all).toContain(`team/large:1 lacks ${layer}`);
    const proof = await restore("flipped.backup", "--dry-run");
    expect(proof.exitCode, proof.all).toBe(ExitCode.ok);
    expect(proof.all).toContain(`team/large:1 lacks ${layer}`);

    const verified = await restore(FILE, "--read-back", "--force", "--resolve-image", "never");
    expect(verified.exitCode, verified.all).toBe(ExitCode.verify);
    expect(verified.all).toContain(`${layer} has other bytes in the storage: ${blobPath(layer)}`);
  } finally {
    flip(stored, 4_000_000);
  }
});

test("a file that cannot take a backup is told of, and no half backup counts", async () => {
  const { workspace } = target;
  writeFileSync(inFolder("notes.txt"), "no backup");
  const other = await backup("notes.txt");
  expect(other.exitCode, other.all).toBe(ExitCode.usage);
  expect(readFileSync(inFolder("notes.txt"), "utf8")).toBe("no backup");
  const nowhere = await backup("nowhere/registry.backup");
  expect(nowhere.exitCode, nowhere.all).toBe(ExitCode.usage);
  await mkdir(inFolder("small"));
  // The tests have mounts of their own.
  await workspace.run("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", inFolder("small")]);
  const full = await backup("small/registry.backup");
  expect(full.exitCode, full.all).toBe(ExitCode.preflight);
  expect(full.all).toMatch(/the disk is full \(ENOSPC\)\n.*continues where it stopped/);
  const half = await restore("small/registry.backup", "--dry-run");
  expect(half.exitCode, half.all).toBe(ExitCode.preflight);
  await workspace.run("umount", [inFolder("small")]);
  await mkdir(inFolder("checkout"));
  await workspace.run("git", ["init", "--quiet", inFolder("checkout")]);
  const committed = await backup("checkout/registry.backup");
  expect(committed.exitCode, committed.all).toBe(ExitCode.usage);
  expect(committed.all).toContain("git would commit it");
  expect(existsSync(inFolder("checkout/registry.backup"))).toBe(false);
});

test("backup, destroy with the data, restore: every image pulls by digest, byte for byte", async () => {
  const { workspace } = target;
  const last = await backup(FILE);
  expect(last.exitCode, last.all).toBe(ExitCode.ok);
  const destroyed = await workspace.hephaestus(["destroy", "--yes", "--data"]);
  expect(destroyed.exitCode, destroyed.all).toBe(ExitCode.ok);

  // A new machine has nothing but the backup.
  for (const name of ["hephaestus.yaml", "docker-compose.yml", "registry", "gateway", "registry-ui"])
    await rm(inFolder(name), { recursive: true });
  copyFileSync(inFolder(FILE), inFolder("bad.backup"));
  flip(inFolder("bad.backup"), Math.floor(statSync(inFolder("bad.backup")).size / 2));
  const dry = await restore("bad.backup", "--dry-run");
  expect(dry.exitCode, dry.all).toBe(ExitCode.verify);
  expect(existsSync(inFolder("hephaestus.yaml"))).toBe(false);
  const bad = await restore("bad.backup", "--resolve-image", "never");
  expect(bad.exitCode, bad.all).toBe(ExitCode.verify);
  expect(existsSync(`${target.storage}/docker/registry/v2/repositories`)).toBe(false);

  const watch = watchProcesses(SECRETS);
  const run = await restore(FILE, "--read-back", "--resolve-image", "never");
  expect(watch.stop()).toEqual([]);
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  // The first try has written what was whole before the flipped bit, and that is not written again.
  const [, missing, all] = /(\d+) of (\d+) blobs and/.exec(run.all) ?? [];
  expect(Number(missing)).toBeLessThan(Number(all));
  expect(run.all).toMatch(/Proof: ok: \d+ blobs \(.*\) and \d+ links are right/);
  expect(await pullFaults(workspace.registryUrl, population)).toEqual([]);
  // The users are back with their passwords.
  await new Pusher(workspace.registryUrl).image("team/after", [], "1");
  for (const name of readdirSync(workspace.folder).filter((file) => file.endsWith(".backup")))
    await rm(inFolder(name));
  expect(await findLeaks(workspace, SECRETS, { restore: run.all, backup: last.all })).toEqual([]);

  const stored = await workspace.hephaestus(["status", "--json"]);
  expect(stored.exitCode, stored.all).toBe(ExitCode.ok);
});
