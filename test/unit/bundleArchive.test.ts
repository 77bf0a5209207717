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
import { blobPath, sumsText } from "../../src/bundle/bundleFormat.js";
import { extractTar, provideImage, runningDigests, saveImages } from "../../src/bundle/engineImages.js";
import { readBundle } from "../../src/bundle/readBundle.js";
import type { Docker } from "../../src/docker/run.js";
import { digestOf, hexOf } from "../../src/registry/digest.js";

/** Archives that were made to harm whoever makes or loads a bundle, and what an engine has under a name. */

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

const FACTS = {
  version: 1,
  tool: "hephaestus 1",
  stack: "forge",
  platform: "linux/amd64",
  images: ["nginx:1"],
};

const CONFIG = blobPath(hexOf(digestOf(Buffer.from("{}"))));

/** A bundle whose sums fit its files, with further entries. */
function bundle(file: string, facts: object, more: readonly Part[] = []): Promise<void> {
  const parts: Part[] = [
    { name: "bundle.json", text: JSON.stringify(facts) },
    { name: "manifest.json", text: JSON.stringify([{ Config: CONFIG, RepoTags: ["nginx:1"], Layers: [] }]) },
    { name: CONFIG, text: "{}" },
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
    await expect(readBundle(`${folder}/a`)).rejects.toThrow(
      `${part.name}, which is no file but a ${part.type}`,
    );
  });

  test.each([
    ["a stack that leads out", { ...FACTS, stack: "../../etc" }],
    ["an image that is an option", { ...FACTS, images: ["--help"] }],
    ["no platform", { ...FACTS, platform: "--help" }],
    ["no list of images", { ...FACTS, images: undefined }],
    ["no description", []],
  ])("whose description has %s is refused", async (_what, facts) => {
    await bundle(`${folder}/a`, facts);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow("has a bundle.json that cannot be read");
  });

  test("is read with what its description may have", async () => {
    await bundle(`${folder}/a`, FACTS);
    expect((await readBundle(`${folder}/a`)).facts).toEqual(FACTS);
  });

  test("that has a file twice, or one without a sum, is refused", async () => {
    await bundle(`${folder}/a`, FACTS, [{ name: "stack/hephaestus.yaml", text: "domain: b.example\n" }]);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow("has stack/hephaestus.yaml twice");
    await bundle(`${folder}/a`, FACTS, [{ name: "stack/other", text: "[]" }]);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow(
      "has a file that is not in SHA256SUMS: stack/other",
    );
  });
});

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
    await tar(`${folder}/whole`, [
      { name: "manifest.json", text: JSON.stringify([{ Config: "c", Layers: ["../../etc/hostname"] }]) },
      { name: "c", text: "{}" },
    ]);
    const whole = readFileSync(`${folder}/whole`);
    for (const [saved, fault] of [
      [undefined, /cannot be read: ENOENT/],
      [Buffer.alloc(2048, "x"), /cannot be read/],
      [whole.subarray(0, 530), /cannot be read: Unexpected end of data/],
      [whole, /lacks ..\/..\/etc\/hostname/],
    ] as const)
      await expect(saveImages(savingDocker(saved), ["nginx:1"], newFolder())).rejects.toThrow(fault);
  });

  test("is one of the parts that docker load reads, each once, in the order of the image", async () => {
    const layers = { "b/layer.tar": "second", "a/layer.tar": "first" };
    const Layers = ["a/layer.tar", "b/layer.tar", "c/layer.tar"];
    await tar(`${folder}/whole`, [
      ...Object.entries(layers).map(([name, text]) => ({ name, text })),
      { name: "c/layer.tar", type: "symlink", linkname: "../a/layer.tar" },
      { name: "manifest.json", text: JSON.stringify([{ Config: "c.json", RepoTags: ["x"], Layers }]) },
      { name: "c.json", text: "{}" },
      { name: "repositories", text: "{}" },
    ]);
    const docker = savingDocker(readFileSync(`${folder}/whole`));
    const [manifest, ...parts] = await saveImages(docker, ["r.example/nginx:1", "nginx:2"], newFolder());
    const path = (text: string) => `blobs/sha256/${digestOf(Buffer.from(text)).slice(7)}`;
    const image = { Config: path("{}"), Layers: ["first", "second", "first"].map(path) };
    expect(manifest).toMatchObject({ path: "manifest.json" });
    expect(JSON.parse(manifest && "text" in manifest ? manifest.text : "")).toEqual([
      { ...image, RepoTags: ["r.example/nginx:1"] },
      { ...image, RepoTags: ["nginx:2"] },
    ]);
    expect(parts.map((part) => part.path)).toEqual(["{}", "first", "second"].map(path).sort());
  });
});

const newFolder = () => mkdtempSync(`${folder}/parts-`);

/** An engine whose `docker save` writes these bytes. */
const savingDocker = (saved: Uint8Array | undefined) =>
  ({
    run: async ([, , file = ""]: string[]) => {
      if (saved) writeFileSync(file, saved);
      return "";
    },
  }) as unknown as Docker;

describe("an image of the engine", () => {
  const [running, other] = [`sha256:${"a".repeat(64)}`, `sha256:${"b".repeat(64)}`];

  let note: string | undefined;

  /** @param images what `docker image inspect` prints of the name: before and after a pull */
  async function provide(images: string[], digest: string | undefined, canPull = true): Promise<string[]> {
    const calls: string[] = [];
    const attempt = async (args: string[]) => {
      if (args[0] !== "image") calls.push(args.join(" "));
      const stdout = args[0] === "image" ? images.shift() : "";
      return {
        exitCode: stdout === undefined || stdout === "none" ? 1 : 0,
        stdout: stdout ?? "",
        stderr: "no such image",
      };
    };
    const docker = { attempt, run: attempt } as unknown as Docker;
    note = await provideImage(docker, "nginx:1", { running: digest, platform: "linux/amd64", canPull });
    return calls;
  }

  test.each([
    ["that the stack runs", [`linux/amd64 nginx@${other} nginx@${running}\n`], running],
    ["that was built, if nothing is known to run,", ["linux/amd64\n"], undefined],
    ["of which nothing is known to run", [`linux/amd64 nginx@${other}\n`], undefined],
  ])("%s is taken as it is", async (_what, images, digest) => {
    expect(await provide(images, digest)).toEqual([]);
  });

  test("that was built or loaded has no digest, so the one that the stack runs is pulled", async () => {
    const calls = await provide(["linux/amd64", `linux/amd64 nginx@${running}`], running);
    expect(calls).toEqual([`pull --quiet nginx:1@${running}`, `tag nginx:1@${running} nginx:1`]);
  });

  test("that was built or loaded is taken if nothing may be pulled, and that is said", async () => {
    expect(await provide(["linux/amd64"], running, false)).toEqual([]);
    expect(note).toMatch(/^nginx:1 was built or loaded here .*: sha256:a+$/);
  });

  test("that is not there, or another one than the stack runs, is pulled", async () => {
    const pulled = `linux/amd64 nginx@${running}`;
    const byDigest = [`pull --quiet nginx:1@${running}`, `tag nginx:1@${running} nginx:1`];
    expect(await provide(["none", pulled], undefined)).toEqual(["pull --quiet nginx:1"]);
    expect(await provide(["none", pulled], running)).toEqual(byDigest);
    expect(note).toBeUndefined();
    expect(await provide([`linux/amd64 nginx@${other}`, pulled], running)).toEqual(byDigest);
  });

  test.each([
    ["it may not be pulled", ["none"], undefined, "this engine does not have it"],
    ["it is another one", [`linux/amd64 nginx@${other}`], running, "another image of that name"],
    [
      "it is for another platform",
      ["linux/arm64"],
      undefined,
      "has it for linux/arm64, and runs on linux/amd64",
    ],
  ])("is refused: %s", async (_why, images, digest, message) => {
    await expect(provide(images, digest, false)).rejects.toThrow(message);
  });
});

describe("the digests that a stack runs", () => {
  const answered = (status: number, body: unknown) =>
    ({ ask: async () => ({ status, body: JSON.stringify(body) }) }) as unknown as Docker;

  test("are not known where there is no Swarm", async () => {
    const noManager = { message: "This node is not a swarm manager. Use docker swarm init to be one." };
    expect((await runningDigests(answered(503, noManager), "forge")).size).toBe(0);
  });

  test("are not taken for unknown where the Swarm does not tell", async () => {
    const noLeader = { message: "rpc error: code = Unknown desc = The swarm does not have a leader." };
    await expect(runningDigests(answered(500, noLeader), "forge")).rejects.toThrow("does not have a leader");
  });
});
