import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { readBackupContent } from "../../src/backup/backupContent.js";
import { BackupDirectory } from "../../src/backup/backupDirectory.js";
import { backupImages } from "../../src/backup/backupStack.js";
import { proveBackup, proveRegistry, requireComplete } from "../../src/backup/proveBackup.js";
import { pruneBackups } from "../../src/backup/pruneBackups.js";
import { presentImages, pushImages } from "../../src/backup/pushImages.js";
import { ExitCode } from "../../src/errors.js";
import { RegistryApi } from "../../src/registry/registryApi.js";
import { RegistryClient } from "../../src/registry/registryClient.js";
import { ProgressMeter } from "../../src/terminal/progress.js";
import fc from "../support/properties.js";
import { silentReporter } from "../support/silentReporter.js";
import { digestOf, RegistryServer, TYPES } from "./registryServer.js";

let folder: string;
let source: RegistryServer;
let target: RegistryServer;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "backup-"));
  [source, target] = [await RegistryServer.start(), await RegistryServer.start()];
});
afterEach(() => {
  for (const server of [source, target]) server.stop();
  rmSync(folder, { recursive: true, force: true });
});

const meter = () => new ProgressMeter(silentReporter);
const { signal } = new AbortController();
const apiOf = (server: RegistryServer) =>
  new RegistryApi(new RegistryClient(server.url, undefined, { signal }));

async function backup(path = folder, unseen: (seen: readonly string[]) => string[] = () => []) {
  const directory = await BackupDirectory.create(path);
  const request = { directory, login: undefined, tool: "hephaestus test", signal };
  return backupImages(request, source.url, silentReporter, "forge", unseen);
}

const opened = async (name?: string) => (await BackupDirectory.open(folder)).read(name);

async function restore() {
  const own = await opened();
  const content = await readBackupContent(own);
  const api = apiOf(target);
  const present = await presentImages(api, content.named);
  const named = content.named.filter((manifest) => !present.has(manifest));
  const pushed = await pushImages(api, own.directory, named, meter());
  return { pushed, faults: await proveRegistry(api, content, meter()) };
}

function fill(): void {
  const children = [
    source.image("team/app", undefined, "amd64"),
    source.image("team/app", undefined, "arm64"),
  ];
  source.manifest("team/app", "1.0", TYPES.index, { manifests: children });
  source.image("team/app", "small", "amd64");
  source.image("other/tool", "v1", "tool");
  const layers = [source.blob("other/cache", Buffer.from("cached"))];
  source.manifest("other/cache", "main", TYPES.index, {
    manifests: [{ ...layers[0], mediaType: "application/vnd.oci.image.layer.v1.tar+gzip" }],
  });
}

describe("a backup of a registry", () => {
  test("is restored to the same tags, digests and bytes, and a second restore sends nothing", async () => {
    fill();
    const report = await backup();
    expect(report).toMatchObject({ tags: 4, images: 5, damage: [] });
    const { pushed, faults } = await restore();
    expect(faults).toEqual([]);
    expect(pushed.manifests).toBe(6);
    for (const [name, { tags, manifests, blobs }] of source.repositories) {
      const there = target.repository(name);
      expect(there.tags).toEqual(tags);
      for (const digest of manifests.keys())
        expect(there.manifests.get(digest)).toEqual(manifests.get(digest));
      for (const digest of blobs.keys()) expect(there.blobs.get(digest)).toEqual(blobs.get(digest));
    }
    expect((await restore()).pushed).toEqual({ manifests: 0, blobs: 0, bytes: 0 });
  });

  test("is an OCI image layout: an index with names, and a file for each digest", async () => {
    fill();
    await backup();
    expect(JSON.parse(readFileSync(join(folder, "oci-layout"), "utf8"))).toEqual({
      imageLayoutVersion: "1.0.0",
    });
    const index = JSON.parse(readFileSync(join(folder, "index.json"), "utf8")) as {
      manifests: Array<{ digest: string; size: number; annotations: Record<string, string> }>;
    };
    const names = index.manifests.map(({ annotations }) => annotations["org.opencontainers.image.ref.name"]);
    expect(names).toEqual(["other/cache:main", "other/tool:v1", "team/app:1.0", "team/app:small"]);
    for (const name of readdirSync(join(folder, "blobs/sha256"))) {
      expect(digestOf(readFileSync(join(folder, "blobs/sha256", name)))).toBe(`sha256:${name}`);
      expect(statSync(join(folder, "blobs/sha256", name)).mode & 0o077).toBe(0);
    }
  });

  test("reads what is new alone, and an earlier one is still there", async () => {
    fill();
    const first = await backup();
    source.image("team/app", "2.0", "new");
    source.repository("other/tool").tags.delete("v1");
    const second = await backup();
    expect(second.read.blobs).toBe(2);
    expect(second.tags).toBe(4);
    const tags = async (name?: string) =>
      (await opened(name)).index.named.map(({ repository, tag }) => `${repository}:${tag}`);
    expect(await tags()).not.toContain("other/tool:v1");
    expect(await tags(first.name)).toContain("other/tool:v1");
    await expect(opened("2020-01-01T00-00-00.000Z")).rejects.toMatchObject({ exitCode: ExitCode.usage });
  });

  test("is continued where its connection broke, byte by byte", async () => {
    const layer = source.blob("big/image", Buffer.alloc(600_000, "abcdefg"));
    const config = source.blob("big/image", Buffer.from("{}"));
    source.manifest("big/image", "1", TYPES.manifest, { config, layers: [layer] });
    source.breaks = [100_000, 200_000];
    const { read, damage } = await backup();
    expect(damage).toEqual([]);
    // The last piece of each broken answer may not have arrived.
    expect(read.bytes).toBeLessThan(600_002);
    expect((await proveBackup(await opened(), meter())).damage).toEqual([]);
  });

  test("takes over what a killed run had read to its end, and reads again what is wrong", async () => {
    fill();
    await backup();
    const files = join(folder, "blobs/sha256");
    for (const [text, content] of [
      ["layer tool", "layer tool"],
      ["layer amd64", "layer amd65"],
    ] as const) {
      const name = digestOf(Buffer.from(text)).slice(7);
      rmSync(join(files, name));
      writeFileSync(join(files, `${name}.part`), content);
    }
    const before = source.requests.length;
    const { damage, read } = await backup();
    expect(damage).toEqual([]);
    expect(read.bytes).toBe("layer amd64".length);
    expect(source.requests.slice(before).filter((request) => request.includes("/blobs/"))).toHaveLength(1);
    expect((await proveBackup(await opened(), meter())).damage).toEqual([]);
  });

  test("leaves out an image whose layer is missing or wrong, and names it", async () => {
    fill();
    const { blobs } = source.repository("team/app");
    const layer = digestOf(Buffer.from("layer amd64"));
    blobs.set(layer, Buffer.from("layer amd65"));
    source.repository("other/tool").blobs.delete(digestOf(Buffer.from("layer tool")));
    const { damage, tags } = await backup();
    expect(tags).toBe(1);
    expect(damage).toEqual(
      expect.arrayContaining([
        `${layer} in team/app does not match its digest`,
        `team/app:1.0 lacks ${layer}`,
        `team/app:small lacks ${layer}`,
        `other/tool:v1 lacks ${digestOf(Buffer.from("layer tool"))}`,
      ]),
    );
    expect((await restore()).faults).toEqual([]);
  });

  test("names a tag that the registry lists and does not have, and no tag that was deleted meanwhile", async () => {
    fill();
    source.repository("team/app").tags.set("lost", digestOf(Buffer.from("no manifest")));
    source.image("team/app", "deleted", "deleted");
    const { tags } = source.repository("team/app");
    const run = backup();
    while (!source.requests.includes("GET /v2/team/app/tags/list"))
      await new Promise((resolve) => setTimeout(resolve, 1));
    source.repository("team/app").manifests.delete(tags.get("deleted") ?? "");
    setTimeout(() => tags.delete("deleted"), 500);
    const { damage } = await run;
    expect(damage).toEqual(["team/app:lost is listed, and the registry does not have it"]);
  });

  test("holds what refers to an image by the referrers API, without a tag", async () => {
    source.hasReferrers = true;
    const subject = source.image("team/app", "1.0", "signed");
    const signature = source.image("team/app", undefined, "signature", { subject });
    source.image("team/app", undefined, "signature of the signature", { subject: signature });
    expect(await backup()).toMatchObject({ tags: 1, images: 3 });
    expect((await restore()).faults).toEqual([]);
    expect(target.repository("team/app").manifests.size).toBe(3);
  });

  test("never loses a tag that moves or goes while it is read", async () => {
    fill();
    const { manifests } = source.repository("team/app");
    const missing = source.manifest("team/app", "moving", TYPES.index, {
      manifests: [source.image("team/app", undefined, "gone")],
    });
    for (const [digest, { bytes }] of manifests)
      if (String(bytes).includes(digestOf(Buffer.from("layer gone")))) manifests.delete(digest);
    const before = source.requests.length;
    const run = backup();
    while (!source.requests.slice(before).includes("GET /v2/team/app/manifests/moving"))
      await new Promise((resolve) => setTimeout(resolve, 1));
    source.image("team/app", "moving", "arrived");
    const { damage } = await run;
    expect(damage).toEqual([]);
    const moved = (await opened()).index.named.find(({ tag }) => tag === "moving");
    expect(moved?.digest).toBe(source.repository("team/app").tags.get("moving"));
    expect(moved?.digest).not.toBe(missing.digest);
  });
});

describe("a directory", () => {
  test("that holds something else is refused and stays as it is", async () => {
    writeFileSync(join(folder, "notes.txt"), "mine");
    await expect(backup()).rejects.toMatchObject({ exitCode: ExitCode.usage });
    expect(readdirSync(folder)).toEqual(["notes.txt"]);
    await expect(backup(join(folder, "notes.txt"))).rejects.toThrow(/is a file/);
    await expect(BackupDirectory.open(folder)).rejects.toThrow(/no OCI image layout/);
  });

  test("with a flipped bit or a cut file is not whole, and what it concerns is named", async () => {
    fill();
    await backup();
    const layer = digestOf(Buffer.from("layer tool"));
    const path = join(folder, "blobs/sha256", layer.slice(7));
    const bytes = readFileSync(path);
    await fc.assert(
      fc.asyncProperty(fc.nat(bytes.length - 1), fc.nat(7), async (at, bit) => {
        const flipped = Buffer.from(bytes);
        flipped[at] = (flipped[at] ?? 0) ^ (1 << bit);
        writeFileSync(path, flipped);
        expect((await proveBackup(await opened(), meter())).damage).toContain(`other/tool:v1 lacks ${layer}`);
      }),
      { numRuns: 30 },
    );
    await expect(restore()).rejects.toThrow(/does not match its digest/);
    truncateSync(path, 3);
    // The next backup reads it again.
    expect((await backup()).read.blobs).toBe(1);
    expect((await proveBackup(await opened(), meter())).damage).toEqual([]);
  });

  // The tests may run as root, whom no permission keeps out. A link to itself is another file that is there and cannot be read.
  test.each([
    "backups",
    "backups/NAME/index.json",
    "backups/NAME/htpasswd",
    "blobs/sha256",
    "oci-layout",
  ])("whose %s cannot be read says so, and is not called incomplete", async (file) => {
    fill();
    const { name } = await backup();
    const path = join(folder, file.replace("NAME", name));
    rmSync(path, { recursive: true, force: true });
    symlinkSync(path, path);
    const error = await opened()
      .then((own) => proveBackup(own, meter()))
      .catch((cause: unknown) => cause);
    expect(error).toMatchObject({ exitCode: ExitCode.preflight, where: expect.stringContaining(path) });
    expect(String(error)).toContain("cannot be read (ELOOP)");
  });

  test("with a blob that cannot be read is not whole, and the blob is named", async () => {
    fill();
    await backup();
    const layer = digestOf(Buffer.from("layer tool"));
    const path = join(folder, "blobs/sha256", layer.slice(7));
    rmSync(path);
    mkdirSync(path);
    const { damage } = await proveBackup(await opened(), meter());
    expect(damage).toContain(`${layer} cannot be read (EISDIR)`);
    expect(damage).toContain(`other/tool:v1 lacks ${layer}`);
  });

  test("of a backup that left something out proves nothing, and says what", async () => {
    fill();
    const { damage, tags } = await backup(folder, (seen) => [`team/hidden is not in ${seen.join(", ")}`]);
    expect(tags).toBe(4);
    expect(damage).toEqual(["team/hidden is not in other/cache, other/tool, team/app"]);
    const own = await opened();
    expect((await proveBackup(own, meter())).damage).toEqual([]);
    expect(() => requireComplete(own)).toThrow(/incomplete.*team\/hidden/s);
  });

  test("keeps the newest backups, and no blob that only others need", async () => {
    fill();
    const directory = await BackupDirectory.create(folder);
    for (const [number, tag] of ["v1", "v2", "v3"].entries()) {
      source.image("other/tool", tag, `tool ${number}`);
      if (number > 0) source.repository("other/tool").tags.delete(`v${number}`);
      await backup();
    }
    const names = await directory.backups();
    const planned = await pruneBackups(directory, 2, true);
    expect(await directory.backups()).toEqual(names);
    const pruned = await pruneBackups(directory, 2, false);
    expect(pruned).toEqual(planned);
    expect(pruned).toMatchObject({ backups: [names[2]], kept: names.slice(0, 2), blobs: 3 });
    for (const name of names.slice(0, 2))
      expect((await proveBackup(await opened(name), meter())).damage).toEqual([]);
    expect(await pruneBackups(directory, 2, false)).toMatchObject({ backups: [], blobs: 0 });
  });
});

test("a directory keeps its newest complete backup, however many newer ones left something out", async () => {
  fill();
  const { name } = await backup();
  for (const number of [1, 2]) await backup(folder, () => [`team/hidden is not there (${number})`]);
  const directory = await BackupDirectory.open(folder);
  const [newest = "", second = ""] = await directory.backups();
  const pruned = await pruneBackups(directory, 1, false);
  expect(pruned).toMatchObject({ backups: [second], kept: [newest, name] });
});
