import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BundledImage, type BundleFacts, parseSums, sumsText } from "../../src/bundle/bundleFormat.js";
import { readBundle } from "../../src/bundle/readBundle.js";
import { writeTar } from "../../src/bundle/tarFile.js";
import { writeBundle } from "../../src/bundle/writeBundle.js";
import { digestOf } from "../../src/registry/digest.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/bundle-`);
});

afterEach(() => rmSync(folder, { recursive: true }));

const facts = (images: BundledImage[], version = 1): BundleFacts =>
  ({ version, tool: "hephaestus 1", stack: "forge", images }) as BundleFacts;

/** Writes a bundle with one image. */
async function write(file: string, fail = false): Promise<void> {
  await writeBundle(
    file,
    "linux/amd64",
    async ({ blobs, platform }) => {
      const put = async (text: string) => {
        const bytes = Buffer.from(text);
        await blobs.put(digestOf(bytes), bytes);
        return digestOf(bytes);
      };
      const [config, layer] = [await put("{}"), await put("a layer")];
      // What a registry that broke off has left.
      await put("nobody needs this");
      const layers = [{ mediaType: "l", digest: layer, size: 7 }];
      const mediaType = "application/vnd.oci.image.manifest.v1+json";
      const digest = await put(
        JSON.stringify({ schemaVersion: 2, mediaType, config: { digest: config }, layers }),
      );
      if (fail) throw new Error("the registry is gone");
      return [{ name: "nginx:1", digest, config, platform, source: { engine: true } }];
    },
    facts,
    [{ path: "stack/hephaestus.yaml", mode: 0o644, text: "domain: example.com\n" }],
  );
}

test("a bundle is read as it was written, and has what docker load and an OCI layout need", async () => {
  await write(`${folder}/a`);
  const read = await readBundle(`${folder}/a`);
  expect(read.facts.images.map(({ name }) => name)).toEqual(["nginx:1"]);
  expect(read.files).toEqual([{ path: "hephaestus.yaml", text: "domain: example.com\n" }]);
  const text = readFileSync(`${folder}/a`, "latin1");
  for (const part of ["oci-layout", "index.json", '"RepoTags":["nginx:1"]']) expect(text).toContain(part);
  expect(text).not.toContain("nobody needs this");
  expect(statSync(`${folder}/a`).mode & 0o777).toBe(0o600);
});

test("the same content makes the same bytes", async () => {
  await write(`${folder}/a`);
  await write(`${folder}/b`);
  expect(readFileSync(`${folder}/a`).equals(readFileSync(`${folder}/b`))).toBe(true);
});

test("a bundle that fails leaves nothing, and the file that was there stays", async () => {
  writeFileSync(`${folder}/a`, "old");
  await expect(write(`${folder}/a`, true)).rejects.toThrow("the registry is gone");
  expect(readdirSync(folder)).toEqual(["a"]);
  expect(readFileSync(`${folder}/a`, "utf8")).toBe("old");
});

test("each byte that is changed is noticed, and so is each place where it ends", async () => {
  await write(`${folder}/a`);
  const bytes = readFileSync(`${folder}/a`);
  const content = [bytes.indexOf("a layer"), bytes.indexOf("domain:"), bytes.indexOf('"tool"')];
  for (const at of content) {
    const changed = Buffer.from(bytes);
    changed[at] = (changed[at] ?? 0) ^ 1;
    writeFileSync(`${folder}/b`, changed);
    await expect(readBundle(`${folder}/b`)).rejects.toThrow(/is damaged: \S+ does not match SHA256SUMS/);
  }
  for (const end of [0, 100, 1024, bytes.indexOf("a layer") + 3]) {
    writeFileSync(`${folder}/b`, bytes.subarray(0, end));
    await expect(readBundle(`${folder}/b`)).rejects.toThrow(/is no bundle|ends too early|cannot be read/);
  }
  await expect(readBundle(`${folder}/none`)).rejects.toThrow("does not exist");
});

/** An archive with sums that fit. */
async function archive(file: string, texts: Record<string, string>): Promise<void> {
  const entries = Object.entries(texts).map(([path, text]) => ({ path, mode: 0o644, text }));
  const sums = new Map(entries.map(({ path, text }) => [path, digestOf(Buffer.from(text)).slice(7)]));
  await writeTar(file, [{ path: "SHA256SUMS", mode: 0o644, text: sumsText(sums) }, ...entries]);
}

test("a newer format is named, with the way to read it", async () => {
  await archive(`${folder}/a`, { "bundle.json": JSON.stringify(facts([], 2)) });
  await expect(readBundle(`${folder}/a`)).rejects.toThrow("has the format 2, and this program reads 1");
  await archive(`${folder}/b`, { other: "x" });
  await expect(readBundle(`${folder}/b`)).rejects.toThrow("has no bundle.json");
});

test("a path that leads out of the bundle is refused", async () => {
  for (const path of ["stack/../../x", "/etc/x", "stack//x"]) {
    await archive(`${folder}/a`, { "bundle.json": JSON.stringify(facts([])), [path]: "x" });
    await expect(readBundle(`${folder}/a`)).rejects.toThrow("leads out of it");
  }
});

test("sums are those of sha256sum", () => {
  const sums = new Map([["a b/c", "0".repeat(64)]]);
  expect(sumsText(sums)).toBe(`${"0".repeat(64)}  a b/c\n`);
  expect(parseSums(sumsText(sums))).toEqual(sums);
});
