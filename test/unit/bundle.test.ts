import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { execaSync } from "execa";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type BundleFacts, blobPath, parseSums, sumsText } from "../../src/bundle/bundleFormat.js";
import { readBundle } from "../../src/bundle/readBundle.js";
import { type Entry, writeBundle, writeTar } from "../../src/bundle/tarFile.js";
import { digestOf, hexOf } from "../../src/registry/digest.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(`${tmpdir()}/bundle-`);
});

afterEach(() => rmSync(folder, { recursive: true }));

const facts = (version = 1) =>
  JSON.stringify({
    version,
    tool: "hephaestus 1",
    stack: "forge",
    platform: "linux/amd64",
    images: ["nginx:1"],
  });

const text = (path: string, content: string): Entry => ({ path, mode: 0o644, text: content });

const LAYER = blobPath(hexOf(digestOf(Buffer.from("a layer"))));

/** Of one image, whose config is its layer. */
const manifest = (names = ["nginx:1"], layers = [LAYER]) =>
  text("manifest.json", JSON.stringify([{ Config: LAYER, RepoTags: names, Layers: layers }]));

/** Writes a bundle with one layer. */
const write = (file: string, fail = false) =>
  writeBundle(file, async (parts) => {
    writeFileSync(`${parts}/layer`, "a layer");
    if (fail) throw new Error("the engine is gone");
    const layer = { path: LAYER, mode: 0o644, file: `${parts}/layer`, size: 7 };
    return [
      text("bundle.json", facts()),
      manifest(),
      layer,
      text("stack/hephaestus.yaml", "domain: example.com\n"),
    ];
  });

test("a bundle is read as it was written, by its owner alone", async () => {
  await write(`${folder}/new/a`);
  const read = await readBundle(`${folder}/new/a`);
  expect(read.facts).toEqual(JSON.parse(facts()) as BundleFacts);
  expect(read.files).toEqual([{ path: "hephaestus.yaml", text: "domain: example.com\n" }]);
  expect(statSync(`${folder}/new/a`).mode & 0o777).toBe(0o600);
  expect(readdirSync(`${folder}/new`)).toEqual(["a"]);
});

test("sha256sum finds its sums right", async () => {
  await write(`${folder}/a`);
  execaSync("tar", ["-xf", `${folder}/a`, "-C", folder]);
  expect(execaSync("sha256sum", ["--check", "SHA256SUMS"], { cwd: folder }).stdout.split("\n")).toHaveLength(
    4,
  );
});

test("the same content makes the same bytes", async () => {
  await write(`${folder}/a`);
  await write(`${folder}/b`);
  expect(readFileSync(`${folder}/a`).equals(readFileSync(`${folder}/b`))).toBe(true);
});

test("a bundle that fails leaves nothing, and the file that was there stays", async () => {
  writeFileSync(`${folder}/a`, "old");
  await expect(write(`${folder}/a`, true)).rejects.toThrow("the engine is gone");
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
  // The last but one is the end of a file, after which the sums would come.
  for (const end of [0, 100, 1024, bytes.indexOf("SHA256SUMS"), bytes.indexOf("a layer") + 3]) {
    writeFileSync(`${folder}/b`, bytes.subarray(0, end));
    await expect(readBundle(`${folder}/b`)).rejects.toThrow(/is no bundle|ends too early|cannot be read/);
  }
  await expect(readBundle(`${folder}/none`)).rejects.toThrow("does not exist");
});

test("a newer format is named, with the way to read it", async () => {
  await writeTar(`${folder}/a`, [text("bundle.json", facts(2))]);
  await expect(readBundle(`${folder}/a`)).rejects.toThrow("has the format 2, and this program reads 1");
  await writeTar(`${folder}/b`, [text("other", "x")]);
  await expect(readBundle(`${folder}/b`)).rejects.toThrow("is no bundle of hephaestus");
});

test("a path that leads out of the bundle is refused", async () => {
  for (const path of ["stack/../../x", "/etc/x", "stack//x"]) {
    await writeTar(`${folder}/a`, [text("bundle.json", facts()), text(path, "x")]);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow("leads out of it");
  }
});

test("hidden files are refused: programs read them unasked", async () => {
  for (const path of ["stack/.git/config", "stack/.envrc", "stack/a/.ssh/rc", ".x"]) {
    await writeTar(`${folder}/a`, [text("bundle.json", facts()), manifest(), text(path, "x")]);
    await expect(readBundle(`${folder}/a`)).rejects.toThrow(`or is hidden: ${path}`);
  }
});

test("what docker would load is what the bundle names, each part under its digest", async () => {
  const layer = text(LAYER, "a layer");
  const cases: [Entry[], string][] = [
    [[layer], "has no manifest.json"],
    [[manifest(["nginx:1", "mycorp/payroll:prod"]), layer], "other images than its bundle.json names"],
    [[manifest([]), layer], "other images than its bundle.json names"],
    [[manifest(), text(LAYER, "another layer")], "no part of its images"],
    [[manifest(["nginx:1"], [blobPath("0".repeat(64))]), layer], "no part of its images"],
    [[manifest(), layer, text("repositories", "{}")], "has repositories, which is no part of its images"],
    [[manifest(), layer, text(blobPath(hexOf(digestOf(Buffer.from("x")))), "x")], "no part of its images"],
  ];
  for (const [entries, fault] of cases) {
    await writeTar(`${folder}/a`, [text("bundle.json", facts()), ...entries]);
    await expect(readBundle(`${folder}/a`), fault).rejects.toThrow(fault);
  }
});

test("sums are those of sha256sum", () => {
  const sums = new Map([["a b/c", "0".repeat(64)]]);
  expect(sumsText(sums)).toBe(`${"0".repeat(64)}  a b/c\n`);
  expect(parseSums(sumsText(sums))).toEqual(sums);
});
