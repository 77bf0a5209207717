import { randomBytes } from "node:crypto";
import {
  closeSync,
  cpSync,
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
import { story } from "../support/story.js";
import { Target } from "./attacks/target.js";
import { MEDIA } from "./clients/images.js";
import { ORAS } from "./clients/oras.js";
import { findLeaks } from "./leaks.js";
import { inParallel, type Population, Pusher, populate, pullFaults } from "./population.js";
import { watchProcesses } from "./processes.js";
import { CREDENTIALS, SECRETS, USER } from "./stack.js";
import { startStallingProxy } from "./stallingProxy.js";
import { useSwarm } from "./swarm.js";
import type { Run, RunSettings } from "./workspace.js";
import { expectOk } from "./workspace.js";

/** Backups of a registry that runs on, and what comes back from them. */

const swarm = useSwarm();
story();
const MIB = 1024 ** 2;
/** Layers that take a while to read, so that a backup can be killed between them. */
const LARGE = { number: 6, size: 5 * MIB };
/** Of each of the repositories. */
const TAGS = 5;
let target: Target;
let population: Population;

/** In the folder of the workspace. */
const DIRECTORY = "registry-backup";

beforeAll(async () => {
  target = await Target.deploy("keep", [5000, 8080], swarm, { registry: { delete: true } });
  const { registryUrl } = target.workspace;
  // As many layers as images: each is needed by one.
  population = await populate(registryUrl, {
    repositories: 6,
    tagsPerRepository: TAGS,
    sharedLayers: TAGS,
  });
  const pusher = new Pusher(registryUrl);
  const layers = await inParallel(Array.from({ length: LARGE.number }), () =>
    pusher.upload("team/large", MEDIA.layer, gzipSync(randomBytes(LARGE.size), { level: 0 })),
  );
  remember(pusher, "team/large:1", (await pusher.image("team/large", layers, "1")).digest);
  remember(pusher, "team/cache:buildkit", (await pusher.buildCache("team/cache", "buildkit")).digest);
  const doomed = await pusher.image("team/gone", [], "1");
  await pusher.remove("team/gone", doomed.digest);
  const run = await backup(DIRECTORY);
  expectOk(run);
});

afterAll(() => target?.destroy());

function remember(pusher: Pusher, name: string, digest: string): void {
  population.manifests.set(name, digest);
  for (const [key, bytes] of pusher.manifestBytes) population.manifestBytes.set(key, bytes);
  for (const [key, blob] of pusher.blobs) {
    if (blob.repository !== "team/gone") population.blobs.set(key, blob);
  }
}

const backup = (directory: string, settings: RunSettings = {}): Promise<Run> =>
  target.workspace.hephaestus(["backup", directory], settings);

const restore = (directory: string, ...more: string[]): Promise<Run> =>
  target.workspace.hephaestus(["restore", directory, ...more]);

/** The result of a run with --json. */
function resultOf<T>(run: Run): T {
  const lines = run.stdout.split("\n").map((line) => JSON.parse(line) as { event: string });
  return lines.find(({ event }) => event === "result") as T;
}

interface Report {
  tags: number;
  images: number;
  blobs: number;
  bytes: number;
  read: { blobs: number; bytes: number };
}

const inFolder = (file: string) => `${target.workspace.folder}/${file}`;

/** Bytes of the blobs in a backup, finished or not. */
function bytesOf(directory: string): number {
  const folder = `${inFolder(directory)}/blobs/sha256`;
  if (!existsSync(folder)) return 0;
  return readdirSync(folder).reduce(
    (sum, name) => sum + (statSync(`${folder}/${name}`, { throwIfNoEntry: false })?.size ?? 0),
    0,
  );
}

test("a backup is whole and for its owner alone, and a second one reads what is new", async () => {
  const [name = ""] = readdirSync(inFolder(`${DIRECTORY}/backups`));
  for (const file of ["htpasswd", "hephaestus.yaml", "index.json"])
    expect(statSync(inFolder(`${DIRECTORY}/backups/${name}/${file}`)).mode & 0o777).toBe(0o600);
  const own = (file: string) => readFileSync(inFolder(`${DIRECTORY}/backups/${name}/${file}`), "utf8");
  expect(own("htpasswd")).toBe(CREDENTIALS.REGISTRY_HTPASSWD);
  expect(own("hephaestus.yaml")).toBe(readFileSync(inFolder("hephaestus.yaml"), "utf8"));
  const proof = await restore(DIRECTORY, "--dry-run");
  expectOk(proof);
  expect(proof.stdout).toMatch(/^33 tags, 35 images, .* all whole$/m);

  cpSync(inFolder(DIRECTORY), inFolder("more"), { recursive: true });
  const pusher = new Pusher(target.workspace.registryUrl);
  remember(pusher, "team/app-3:new", (await pusher.image("team/app-3", [], "new")).digest);
  const watch = watchProcesses(SECRETS);
  const run = await target.workspace.hephaestus(["backup", "more", "--json"]);
  expect(watch.stop()).toEqual([]);
  expectOk(run);
  expect(SECRETS.filter((secret) => run.all.includes(secret))).toEqual([]);
  expect(resultOf<Report>(run)).toMatchObject({ tags: 34, read: { blobs: 2 } });
  const again = await restore("more", "--dry-run");
  expectOk(again);
  expect(again.stdout).toContain("34 tags");
  const listed = await target.workspace.hephaestus(["backup", "list", "more"]);
  expect(listed.stdout.split("\n").filter((line) => line.endsWith("complete"))).toHaveLength(2);
  const pruned = await target.workspace.hephaestus(["backup", "prune", "more", "--keep", "1"]);
  expect(pruned.stdout, pruned.all).toContain("1 backups and 0 blobs");
});

test("skopeo alone copies an image out of it, and sha256sum checks it", async () => {
  const { workspace } = target;
  const copied = await workspace.run("skopeo", [...["copy", `oci:${DIRECTORY}:team/app-3:v1`, "dir:copied"]]);
  expectOk(copied);
  const digest = population.manifests.get("team/app-3:v1") ?? "";
  const manifest = readFileSync(inFolder("copied/manifest.json"));
  expect(manifest.equals(population.manifestBytes.get(digest) ?? Buffer.alloc(0))).toBe(true);
  const sums = readdirSync(inFolder(`${DIRECTORY}/blobs/sha256`)).map((hex) => `${hex}  ${hex}\n`);
  const check = await workspace.run(
    "sh",
    ["-c", `cd ${DIRECTORY}/blobs/sha256 && sha256sum --check --quiet`],
    { input: sums.join("") },
  );
  expectOk(check);
});

test("a backup needs no Docker for the images alone, of this registry or another", async () => {
  const { workspace } = target;
  const noDocker = { env: { DOCKER_HOST: "tcp://127.0.0.1:1" } };
  for (const flags of [["--images-only"], ["--from", workspace.registryUrl]]) {
    const run = await workspace.hephaestus(["backup", "images", ...flags, "--json"], noDocker);
    expectOk(run);
    expect(resultOf<Report>(run).tags).toBe(34);
  }
});

test("pushes and deletes during a backup never fail, and it is consistent", async () => {
  const { registryUrl } = target.workspace;
  const pusher = new Pusher(registryUrl);
  const victims: string[] = [];
  for (let number = 0; number < 12; number++)
    victims.push((await pusher.image(`busy/old-${number % 3}`, [], `v${number}`)).digest);
  let finished = false;
  const run = backup("busy").finally(() => {
    finished = true;
  });
  let pushed = 0;
  const push = async (worker: number) => {
    for (; !finished; pushed++) {
      const repository = `busy/app-${pushed % 7}`;
      const child = await pusher.image(repository, [], undefined);
      const parts = { manifests: [{ ...child, platform: { os: "linux", architecture: "amd64" } }] };
      await pusher.manifest(repository, `w${worker}-${pushed % 5}`, MEDIA.index, parts);
      // Each of them is backed up and restored by the tests that follow.
      await new Promise((resolve) => setTimeout(resolve, 100));
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
  expect(pushed).toBeGreaterThan(0);
  const proof = await restore("busy", "--dry-run");
  expectOk(proof);
});

test("oras copies an image of Docker's own media types out of it, which skopeo does not see", async () => {
  const { workspace } = target;
  const pusher = new Pusher(workspace.registryUrl);
  const bytes = Buffer.from(
    JSON.stringify({ os: "linux", architecture: "amd64", rootfs: { type: "layers" } }),
  );
  const config = await pusher.upload("busy/docker", "application/vnd.docker.container.image.v1+json", bytes);
  const image = await pusher.manifest("busy/docker", "1", MEDIA.dockerManifest, { config, layers: [] });
  const run = await backup("busy");
  expectOk(run);
  const from = ["--from-oci-layout-path", "busy", "busy/docker:1"];
  const copied = await workspace.run(ORAS, ["cp", ...from, "--to-oci-layout", "by-oras:1"]);
  expectOk(copied);
  const { mediaType, digest } = JSON.parse(readFileSync(inFolder("by-oras/index.json"), "utf8")).manifests[0];
  expect([mediaType, digest]).toEqual([MEDIA.dockerManifest, image.digest]);
});

/** Ends a backup with a signal when it has got so many bytes more. It cannot get many more than that, and never ends before. */
async function endedAfter(directory: string, bytes: number, signal: NodeJS.Signals): Promise<Run> {
  const enough = bytesOf(directory) + bytes;
  const proxy = await startStallingProxy(target.workspace.registryUrl, bytes + MIB);
  let timer: NodeJS.Timeout;
  const run = target.workspace.hephaestus(["backup", directory, "--from", proxy.url], {
    onStart: (pid) => {
      timer = setInterval(() => {
        if (bytesOf(directory) < enough) return;
        clearInterval(timer);
        process.kill(pid, signal);
      }, 2);
    },
  });
  return run.finally(() => {
    clearInterval(timer);
    proxy.stop();
  });
}

test("a backup that is interrupted, then killed, is resumed and reads nothing twice", async () => {
  const interrupted = await endedAfter("killed", 2 * LARGE.size, "SIGINT");
  expect(interrupted.exitCode, interrupted.all).toBe(ExitCode.interrupted);
  const refused = await restore("killed", "--dry-run");
  expect(refused.exitCode).toBe(ExitCode.preflight);
  expect(refused.all).toContain("to resume it");
  const killed = await endedAfter("killed", 2 * LARGE.size, "SIGKILL");
  expect(killed.exitCode, killed.all).toBe(255);
  const there = bytesOf("killed");
  expect(there).toBeGreaterThan(3 * LARGE.size);

  const run = await target.workspace.hephaestus(["backup", "killed", "--json"]);
  expectOk(run);
  const { bytes, read } = resultOf<Report>(run);
  expect(read.bytes).toBeLessThan(bytes - there + MIB);
  expect(readdirSync(inFolder("killed/blobs/sha256")).filter((name) => name.endsWith(".part"))).toEqual([]);
  const proof = await restore("killed", "--dry-run");
  expectOk(proof);
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
  const login = { env: CREDENTIALS };
  const flags = ["restore", DIRECTORY, "--resolve-image", "never"];
  const asked = await target.workspace.hephaestus(flags, login);
  expect(asked.exitCode, asked.all).toBe(ExitCode.preflight);
  expect(asked.all).toContain("--force");
  expect(await status(`${lost}/manifests/v1`)).toBe(404);
  const run = await target.workspace.hephaestus([...flags, "--force"], login);
  expectOk(run);
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
  const hex = layer.slice("sha256:".length);
  const stored = `${target.storage}/docker/registry/v2/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
  flip(stored, 4_000_000);
  try {
    const run = await backup("flipped");
    expect(run.exitCode, run.all).toBe(ExitCode.verify);
    expect(run.all).toContain(`${layer} in team/large does not match its digest`);
    expect(run.all).toContain(`team/large:1 lacks ${layer}`);
    const proof = await restore("flipped", "--dry-run");
    expect(proof.exitCode, proof.all).toBe(ExitCode.verify);
    expect(proof.all).toContain("what the backup has is right, but it is incomplete");
    expect(proof.all).toContain(`team/large:1 lacks ${layer}`);

    const flags = ["restore", DIRECTORY, "--read-back", "--force", "--resolve-image", "never"];
    const verified = await target.workspace.hephaestus(flags, { env: CREDENTIALS });
    expect(verified.exitCode, verified.all).toBe(ExitCode.verify);
    expect(verified.all).toContain(`${layer} in team/large has other bytes`);
  } finally {
    flip(stored, 4_000_000);
  }
});

test("a directory that cannot take a backup is named, and no half backup counts", async () => {
  const { workspace } = target;
  await mkdir(inFolder("notes"));
  writeFileSync(inFolder("notes/notes.txt"), "no backup");
  const other = await backup("notes");
  expect(other.exitCode, other.all).toBe(ExitCode.usage);
  expect(readdirSync(inFolder("notes"))).toEqual(["notes.txt"]);
  await mkdir(inFolder("small"));
  // The tests have mounts of their own.
  await workspace.run("mount", ["-t", "tmpfs", "-o", "size=12m", "tmpfs", inFolder("small")]);
  const full = await backup("small");
  expect(full.exitCode, full.all).toBe(ExitCode.preflight);
  expect(full.all).toMatch(/the disk is full \(ENOSPC\)\n.*continues where it stopped/);
  const half = await restore("small", "--dry-run");
  expect(half.exitCode, half.all).toBe(ExitCode.preflight);
  await workspace.run("umount", [inFolder("small")]);
  await mkdir(inFolder("checkout"));
  await workspace.run("git", ["init", "--quiet", inFolder("checkout")]);
  const committed = await backup("checkout/backup");
  expect(committed.exitCode, committed.all).toBe(ExitCode.usage);
  expect(committed.all).toContain("git would commit it");
  expect(existsSync(inFolder("checkout/backup"))).toBe(false);
});

test("backup, destroy with the data, restore: every image pulls by digest, byte for byte", async () => {
  const { workspace } = target;
  const last = await backup(DIRECTORY);
  expectOk(last);
  const destroyed = await workspace.hephaestus(["destroy", "--yes", "--data"]);
  expectOk(destroyed);

  // A new machine has nothing but the backup.
  for (const name of ["hephaestus.yaml", "docker-compose.yml", "registry", "gateway", "registry-ui"])
    await rm(inFolder(name), { recursive: true });
  cpSync(inFolder(DIRECTORY), inFolder("bad"), { recursive: true });
  const [layer = ""] = [...population.blobs].find(([, { bytes }]) => bytes.length >= LARGE.size) ?? [];
  const damaged = inFolder(`bad/blobs/sha256/${layer.slice("sha256:".length)}`);
  flip(damaged, 1000);
  const dry = await restore("bad", "--dry-run");
  expect(dry.exitCode, dry.all).toBe(ExitCode.verify);
  expect(existsSync(inFolder("hephaestus.yaml"))).toBe(false);
  // What is seen without reading everything is seen before anything is changed.
  await rm(damaged);
  const bad = await restore("bad", "--resolve-image", "never");
  expect(bad.exitCode, bad.all).toBe(ExitCode.verify);
  expect(bad.all).toContain(`team/large:1 lacks ${layer}`);
  expect((await workspace.docker("service", "ls", "--quiet")).stdout).toBe("");

  const watch = watchProcesses(SECRETS);
  const run = await restore(DIRECTORY, "--read-back", "--resolve-image", "never");
  expect(watch.stop()).toEqual([]);
  expectOk(run);
  expect(run.all).toMatch(/Proof: ok: \d+ images and \d+ blobs are right/);
  expect(await pullFaults(workspace.registryUrl, population)).toEqual([]);
  // The users are back with their passwords, and the one who pushed is gone.
  const users = await workspace.hephaestus(["user", "list", "--json"]);
  expect(resultOf<{ users: Array<{ user: string }> }>(users).users.map(({ user }) => user)).toEqual([USER]);
  await new Pusher(workspace.registryUrl).image("team/after", [], "1");
  for (const name of readdirSync(workspace.folder).filter((file) =>
    existsSync(inFolder(`${file}/oci-layout`)),
  ))
    await rm(inFolder(name), { recursive: true });
  expect(await findLeaks(workspace, SECRETS, { restore: run.all, backup: last.all })).toEqual([]);

  const stored = await workspace.hephaestus(["status", "--json"]);
  expectOk(stored);
});
