import { spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { packEntries } from "../../src/backup/format/entries.js";
import { loadConfig } from "../../src/config/load.js";
import type { Docker } from "../../src/docker/run.js";
import type { StartDocker } from "../../src/docker/stream.js";
import { blobPath, type Link, linkPath } from "../../src/storage/layout.js";
import { runOnStorage, type StorageAccess } from "../../src/storage/storageContainer.js";
import { inGroups, isEndOfStream, StorageReader } from "../../src/storage/storageReader.js";
import { extractToStorage } from "../../src/storage/storageWriter.js";

/** The scripts run in a shell of this machine instead of a container; the end-to-end tests run them in busybox's. */

let folder: string;
let reader: StorageReader;
let access: StorageAccess;
let started: string[][];

const { config } = loadConfig("domain: forge.example\nstack: forge", "f", {});

const start: StartDocker = (args) => {
  started.push([...args]);
  const script = (args.at(-1) ?? "").replace("/storage", folder);
  const child = spawn("sh", ["-c", script]);
  let stderr = "";
  child.stderr.on("data", (chunk) => {
    stderr += chunk;
  });
  child.stdin.on("error", () => undefined);
  const ended = new Promise<{ exitCode: number; stdout: string; stderr: string }>((resolve) =>
    child.on("close", (code) => resolve({ exitCode: code ?? 255, stdout: "", stderr })),
  );
  return { stdin: child.stdin, stdout: child.stdout, ended, kill: () => child.kill() };
};

const nothing: Docker = {
  run: async () => "",
  attempt: async () => ({ exitCode: 0, stdout: "", stderr: "" }),
};

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "storage-"));
  started = [];
  access = { config, start, storageDocker: nothing };
  reader = new StorageReader(access, undefined);
});
afterEach(async () => {
  await reader.close();
  rmSync(folder, { recursive: true, force: true });
});

const put = (path: string, content: string) => {
  mkdirSync(dirname(join(folder, path)), { recursive: true });
  writeFileSync(join(folder, path), content);
};
const digestOf = (content: string) => `sha256:${createHash("sha256").update(content).digest("hex")}`;
const [ONE, TWO] = [digestOf("one"), digestOf("two")];
const link = (kind: Link["kind"], digest: string, tag?: string): Link => ({
  kind,
  repository: "team/app",
  tag,
  digest,
});
const putLink = (of: Link, content = of.digest) => put(linkPath(of), content);

describe("links", () => {
  test("of each kind are found, whatever a tag is called; uploads are passed by", async () => {
    const tags = ["v1", "_layers", "_uploads", "revisions"].flatMap((tag) => [
      link("tag", ONE, tag),
      link("index", ONE, tag),
    ]);
    const others = [link("revision", ONE), link("layer", TWO)];
    for (const one of [...tags, ...others]) putLink(one);
    put("docker/registry/v2/repositories/team/app/_uploads/5c0/link", ONE);
    const found = async (pass: "tags" | "revisions" | "layers") =>
      (await reader.links(pass)).links.map(linkPath).sort();
    expect(await found("tags")).toEqual(tags.map(linkPath).sort());
    expect(await found("revisions")).toEqual([linkPath(link("revision", ONE))]);
    expect(await found("layers")).toEqual([linkPath(link("layer", TWO))]);
    expect(started).toHaveLength(1);
  });

  test("that are just being written are read again", async () => {
    const tag = link("tag", ONE, "v1");
    putLink(tag, "");
    setTimeout(() => putLink(tag), 300);
    expect(await reader.links("tags")).toEqual({ links: [tag], odd: [] });
  });

  test("that stay without a digest are odd; those that vanish are not", async () => {
    const [empty, gone] = [link("tag", ONE, "empty"), link("tag", ONE, "gone")];
    putLink(empty, "");
    putLink(gone, "sha256:12");
    setTimeout(() => rmSync(join(folder, linkPath(gone))), 300);
    expect(await reader.links("tags")).toEqual({ links: [], odd: [linkPath(empty)] });
  });

  test("of a storage that is empty are none", async () => {
    expect(await reader.links("tags")).toEqual({ links: [], odd: [] });
    expect(await reader.blobs()).toEqual(new Map());
  });
});

async function read(...digests: string[]): Promise<Array<[string, string]>> {
  const found: Array<[string, string]> = [];
  for await (const { digest, content } of reader.read(digests.map((of) => ({ digest: of, size: 3 })))) {
    let text = "";
    for await (const chunk of content) text += String(chunk);
    found.push([digest, text]);
  }
  return found;
}

describe("blobs", () => {
  test("are listed with their sizes, read and hashed", async () => {
    put(blobPath(ONE), "one");
    put(blobPath(TWO), "2");
    expect(await reader.blobs()).toEqual(
      new Map([
        [ONE, 3],
        [TWO, 1],
      ]),
    );
    expect(await read(TWO, ONE)).toEqual([
      [TWO, "2"],
      [ONE, "one"],
    ]);
    expect(await reader.sums([ONE, TWO])).toEqual(
      new Map([
        [ONE, ONE],
        [TWO, digestOf("2")],
      ]),
    );
  });

  test("that are not there are left out, and the next ones are read all the same", async () => {
    put(blobPath(ONE), "one");
    expect(await read(TWO, ONE)).toEqual([[ONE, "one"]]);
    expect(await read(ONE)).toEqual([[ONE, "one"]]);
    expect(await reader.sums([ONE, TWO])).toEqual(new Map([[ONE, ONE]]));
  });

  test("behind one that cannot be read are not taken for its content", async () => {
    const contents = Array.from({ length: 8 }, (_, number) => `content ${number}`);
    const wanted = contents.map((content) => ({ digest: digestOf(content), size: content.length }));
    for (const content of contents) put(blobPath(digestOf(content)), content);
    const broken = wanted[3]?.digest ?? "";
    rmSync(join(folder, blobPath(broken)));
    mkdirSync(join(folder, blobPath(broken)));
    const found: string[] = [];
    let at = "";
    const reading = async () => {
      for await (const { digest, content } of reader.read(wanted)) {
        at = digest;
        let text = "";
        for await (const chunk of content) text += String(chunk);
        found.push(text);
      }
    };
    await expect(reading()).rejects.toSatisfy(isEndOfStream);
    expect(at).toBe(broken);
    expect(found).toEqual(contents.slice(0, 3));
  });

  test("that cannot be read to their end end the stream", async () => {
    // A folder has a size, and `cat` reads nothing of it: as a disk that fails.
    mkdirSync(join(folder, blobPath(ONE)), { recursive: true });
    await expect(read(ONE)).rejects.toSatisfy(isEndOfStream);
    await reader.close();
    put(blobPath(TWO), "two");
    expect(await read(TWO)).toEqual([[TWO, "two"]]);
  });
});

test("entries are unpacked below the storage, for nobody else to read", async () => {
  const entry = { name: linkPath(link("tag", ONE, "v1")), mode: 0o600, uid: 0, gid: 0, mtime: new Date() };
  const chunks = (async function* () {
    yield await packEntries([{ ...entry, content: ONE }]);
  })();
  await extractToStorage(access, chunks, undefined);
  expect(readFileSync(join(folder, entry.name), "utf8")).toBe(ONE);
});

test("what tar cannot write is an error, and so is a source that fails", async () => {
  put("docker", "in the way");
  const entry = { name: blobPath(ONE), mode: 0o600, uid: 0, gid: 0, mtime: new Date() };
  const chunks = async function* (fails: boolean) {
    yield await packEntries([{ ...entry, content: "one" }]);
    if (fails) throw new Error("torn");
  };
  await expect(extractToStorage(access, chunks(false), undefined)).rejects.toThrow(/docker/);
  rmSync(join(folder, "docker"));
  await expect(extractToStorage(access, chunks(true), undefined)).rejects.toThrow("torn");
  expect(existsSync(join(folder, "docker/registry/v2/repositories"))).toBe(false);
});

test("the container is called with exactly these words", () => {
  const words = runOnStorage(config, "true", true);
  expect(words.join(" ")).toBe(
    "run --rm --interactive --name forge_storage --label hephaestus.stack=forge --log-driver none --network none --read-only --cap-drop ALL --security-opt no-new-privileges --user 10001:10001 --mount type=bind,source=/mnt/storage/registry,target=/storage,readonly --entrypoint sh nginx:1.30.5-alpine -c cd /storage || exit 2\ntrue",
  );
  expect(runOnStorage(config, "true", false).join(" ")).toContain("target=/storage --entrypoint");
});

test("groups are bounded by number and by bytes", () => {
  const sizes = [5, 5, 5, 20, 1].map((size) => ({ size }));
  const groups = [...inGroups(sizes, 2, 12)].map((group) => group.map(({ size }) => size));
  expect(groups).toEqual([[5, 5], [5], [20], [1]]);
});
