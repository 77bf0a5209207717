import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createTwoFilesPatch } from "diff";
import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import type { RenderedFile } from "../../src/render/renderedFile.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import { BASE, CASES } from "../support/golden.js";
import fc from "../support/properties.js";

const GOLDEN = fileURLToPath(new URL("../golden/", import.meta.url));
const templates = loadTemplates();
const isUpdate = process.env.UPDATE_GOLDEN === "1" && !process.env.CI;

const render = (source: string): RenderedFile[] => [
  { path: "hephaestus.yaml", text: source },
  ...renderFiles(loadConfig(source, "hephaestus.yaml", {}).config, templates, "hephaestus.yaml"),
];

/** The files below a folder, in the order of their paths. */
function filesBelow(folder: string): RenderedFile[] {
  return (readdirSync(folder, { recursive: true }) as string[])
    .filter((path) => statSync(join(folder, path)).isFile())
    .sort()
    .map((path) => ({ path, text: readFileSync(join(folder, path), "utf8") }));
}

const inOrder = (files: readonly RenderedFile[]) => [...files].sort((a, b) => (a.path < b.path ? -1 : 1));

/** What differs from the base: each file that is not the same, one that only one side has from or to nothing. */
function differences(base: readonly RenderedFile[], files: readonly RenderedFile[]): string {
  const textOf = (side: readonly RenderedFile[], wanted: string) =>
    side.find(({ path }) => path === wanted)?.text;
  const paths = [...new Set([...base, ...files].map(({ path }) => path))].sort();
  return paths
    .map((path) => ({ path, before: textOf(base, path), after: textOf(files, path) }))
    .filter(({ before, after }) => before !== after)
    .map(({ path, before, after }) => {
      const name = (text: string | undefined) => (text === undefined ? "/dev/null" : path);
      return createTwoFilesPatch(name(before), name(after), before ?? "", after ?? "", "", "", {
        context: 2,
      });
    })
    .join("");
}

/** Writes what is kept of a case. */
function update(name: string, rendered: readonly RenderedFile[]): void {
  rmSync(join(GOLDEN, name), { recursive: true, force: true });
  const kept =
    name === BASE
      ? rendered.map(({ path, text }) => ({ path: join(GOLDEN, name, path), text }))
      : [{ path: patchOf(name), text: differences(filesBelow(join(GOLDEN, BASE)), rendered) }];
  for (const { path, text } of kept) {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text);
  }
}

const patchOf = (name: string) => join(GOLDEN, `${name}.patch`);

if (isUpdate) for (const name of [BASE, ...Object.keys(CASES)]) update(name, render(CASES[name] ?? ""));

test("each case is kept once, and nothing else", () => {
  const kept = Object.keys(CASES).map((name) => (name === BASE ? name : `${name}.patch`));
  expect(readdirSync(GOLDEN).sort()).toEqual(kept.sort());
});

describe.each(Object.entries(CASES))("%s", (name, source) => {
  test("renders to exactly the golden files", () => {
    const rendered = render(source);
    if (name === BASE) return expect(inOrder(rendered)).toEqual(filesBelow(join(GOLDEN, name)));
    expect(differences(filesBelow(join(GOLDEN, BASE)), rendered)).toBe(readFileSync(patchOf(name), "utf8"));
  });

  test("renders to the same bytes every time", () => {
    expect(render(source)).toEqual(render(source));
  });
});

test("every byte that changes changes what is kept", () => {
  const base = filesBelow(join(GOLDEN, BASE));
  const files = Object.values(CASES).flatMap(render);
  fc.assert(
    fc.property(
      fc.constantFrom(...files),
      fc.nat(),
      fc.constantFrom("", "\n", "\r", " ", "x"),
      fc.nat(1),
      (file, position, put, taken) => {
        const at = position % (file.text.length + 1);
        const text = file.text.slice(0, at) + put + file.text.slice(at + taken);
        fc.pre(text !== file.text);
        const before = base.filter(({ path }) => path === file.path);
        expect(differences(before, [{ ...file, text }])).not.toBe(differences(before, [file]));
      },
    ),
  );
});
