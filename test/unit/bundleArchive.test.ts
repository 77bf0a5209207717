import {
  createWriteStream,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { pipeline } from "node:stream/promises";
import { type Header, pack } from "tar-stream";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { BlobFiles } from "../../src/backup/blobFiles.js";
import { sumsText } from "../../src/bundle/bundleFormat.js";
import { fromEngine, fromRegistry } from "../../src/bundle/imageSource.js";
import { readBundle } from "../../src/bundle/readBundle.js";
import { extractTar } from "../../src/bundle/tarFile.js";
import type { Docker } from "../../src/docker/run.js";
import { digestOf } from "../../src/registry/digest.js";
import { RegistryApi } from "../../src/registry/registryApi.js";
import { RegistryClient } from "../../src/registry/registryClient.js";
import { ProgressMeter } from "../../src/terminal/progress.js";
import { RegistryServer, TYPES } from "./registryServer.js";

/** Archives and registries that were made to harm whoever makes or loads a bundle. */

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/archive-`);
});
afterEach(() => rmSync(folder, { recursive: true }));

type Part = Partial<Header> & { name: string; text?: string };

async function tar(file: string, parts: readonly Part[]): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file));
  for (const { text = "", ...header } of parts) archive.entry(header, text);
  archive.finalize();
  await written;
}

const FACTS = { version: 1, tool: "hephaestus 1", stack: "forge", images: [] };

/** A bundle whose sums fit its files, with further entries. */
function bundle(file: string, facts: object, more: readonly Part[] = []): Promise<void> {
  const parts: Part[] = [
    { name: "bundle.json", text: JSON.stringify(facts) },
    { name: "stack/hephaestus.yaml", text: "domain: a.example\n" },
  ];
  const sums = new Map(parts.map(({ name, text = "" }) => [name, digestOf(Buffer.from(text)).slice(7)]));
  return tar(file, [{ name: "SHA256SUMS", text: sumsText(sums) }, ...parts, ...more]);
}

describe("a bundle", () => {
  test.each<Part>([
    { name: "stack/key", type: "symlink", linkname: "/etc/shadow" },
    { name: "stack/key", type: "link", linkname: "bundle.json" },
    { name: "stack/folder", type: "directory" },
    { name: "stack/pipe", type: "fifo" },
    { name: "stack/null", type: "character-device" },
    { name: "manifest.json", type: "contiguous-file" },
    { name: "SHA256SUMS", type: "symlink", linkname: "/etc/shadow" },
  ])("with a $type beside its files is refused", async (part) => {
    await bundle(`${folder}/a`, FACTS, [part]);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow(`${part.name} is no file but a ${part.type}`);
  });

  test.each([
    ["a stack that leads out", { ...FACTS, stack: "../../etc" }],
    ["an image that is an option", { ...FACTS, images: [{ ...IMAGE(), name: "--help" }] }],
    ["an image without a digest", { ...FACTS, images: [{ ...IMAGE(), digest: "sha256:../x" }] }],
    ["no list of images", { ...FACTS, images: undefined }],
    ["no description", []],
  ])("whose description has %s is refused", async (_what, facts) => {
    await bundle(`${folder}/a`, facts);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow("has a bundle.json that is none");
  });

  test("is read with what its description may have", async () => {
    await bundle(`${folder}/a`, { ...FACTS, images: [IMAGE()] });
    expect((await readBundle(`${folder}/a`)).facts.images).toEqual([IMAGE()]);
  });
});

function IMAGE() {
  const digest = digestOf(Buffer.from("image"));
  return { name: "nginx:1", digest, config: digest, platform: "linux/amd64", source: { engine: true } };
}

describe("an archive of docker save", () => {
  test("gives its files by name, and layers that are links to others", async () => {
    await tar(`${folder}/a`, [
      { name: "one/", type: "directory" },
      { name: "one/layer.tar", type: "symlink", linkname: "../two/layer.tar" },
      { name: "two/layer.tar", text: "a layer" },
    ]);
    const places = await extractTar(`${folder}/a`, `${folder}/out`);
    for (const name of ["one/layer.tar", "two/layer.tar", "./two//layer.tar"])
      expect(readFileSync(places(name) ?? "", "utf8")).toBe("a layer");
    expect(places("three/layer.tar")).toBeUndefined();
  });

  test("writes nothing through a link of its own", async () => {
    const outside = `${folder}/outside`;
    mkdirSync(outside);
    writeFileSync(`${outside}/key`, "mine");
    await tar(`${folder}/a`, [
      { name: "link", type: "symlink", linkname: outside },
      { name: "link/key", text: "evil" },
      { name: "file", type: "symlink", linkname: `${outside}/key` },
      { name: "file", text: "evil" },
      { name: "../outside/key", text: "evil" },
      { name: `${outside}/other`, text: "evil" },
    ]);
    const places = await extractTar(`${folder}/a`, `${folder}/out`);
    expect(readFileSync(`${outside}/key`, "utf8")).toBe("mine");
    expect(existsSync(`${outside}/other`)).toBe(false);
    expect(places(`${outside}/key`)).toBeUndefined();
  });

  test("that is not there, is no archive or ends too early is a fault in words", async () => {
    const image = JSON.stringify([{ Config: "c", RepoTags: null, Layers: ["../../etc/hostname"] }]);
    const config = JSON.stringify({ os: "linux", architecture: "amd64" });
    await tar(`${folder}/whole`, [
      { name: "manifest.json", text: image },
      { name: "c", text: config },
    ]);
    const whole = readFileSync(`${folder}/whole`);
    for (const [saved, fault] of [
      [undefined, /cannot be read: ENOENT/],
      [Buffer.alloc(2048, "x"), /cannot be read/],
      [whole.subarray(0, 530), /cannot be read: Unexpected end of data/],
      [whole, /lacks ..\/..\/etc\/hostname/],
    ] as const) {
      const layout = mkdtempSync(`${folder}/layout-`);
      const docker = {
        attempt: async () => {
          if (saved) writeFileSync(`${layout}/saved.tar`, saved);
          return { exitCode: 0, stdout: "", stderr: "" };
        },
      } as unknown as Docker;
      const target = { layout, blobs: new BlobFiles(layout), platform: "linux/amd64" };
      await expect(fromEngine("nginx:1", undefined, target, docker)).rejects.toThrow(fault);
    }
  });
});

test.each([
  "sha256:../../../evil",
  "sha256:x",
  7,
])("an image of a registry whose layer has the digest %s is not bundled", async (digest) => {
  const source = await RegistryServer.start();
  const { signal } = new AbortController();
  const api = new RegistryApi(new RegistryClient(source.url, undefined, signal));
  try {
    const config = source.blob("app", Buffer.from(JSON.stringify({ os: "linux", architecture: "amd64" })));
    source.manifest("app", "1", TYPES.manifest, { config, layers: [{ digest, size: 4 }] });
    mkdirSync(`${folder}/layout/blobs/sha256`, { recursive: true });
    writeFileSync(`${folder}/evil.part`, "mine");
    const layout = `${folder}/layout`;
    await expect(
      fromRegistry(
        { name: "app:1", registry: "r.example", repository: "app", reference: "1" },
        api,
        { layout, blobs: new BlobFiles(layout), platform: "linux/amd64" },
        new ProgressMeter({ progress: () => undefined }),
        signal,
      ),
    ).rejects.toThrow("cannot be bundled");
    expect(readFileSync(`${folder}/evil.part`, "utf8")).toBe("mine");
  } finally {
    source.stop();
  }
});
