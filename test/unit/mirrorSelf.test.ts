import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { main } from "../../src/cli.js";
import { ExitCode } from "../../src/errors.js";

const TEXT = `version: 1
domain: example.com
regsync:
  self: use # since the outage
mirror:
  - { from: docker.io/library/alpine, to: mirror/alpine, tags: ["3.20"] }
`;

let folder: string;
let file: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "self-"));
  file = join(folder, "hephaestus.yaml");
  writeFileSync(file, TEXT);
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
  vi.spyOn(process.stderr, "write").mockReturnValue(true);
});
afterEach(() => {
  vi.restoreAllMocks();
  rmSync(folder, { recursive: true, force: true });
});

const self = (...args: string[]) => main(["node", "hephaestus", "mirror", "self", "--config", file, ...args]);
const text = () => readFileSync(file, "utf8");

test("mirror self --off stops mirroring the stack's own images, and changes nothing else in the file", async () => {
  expect(await self("--off", "--dry-run")).toBe(ExitCode.ok);
  expect(text()).toBe(TEXT);
  expect(await self("--off", "--yes")).toBe(ExitCode.ok);
  expect(text()).toBe(TEXT.replace("self: use", "self: off"));
  expect(await self("--off")).toBe(ExitCode.ok);
  expect(await self("--yes")).toBe(ExitCode.ok);
  expect(text()).toBe(TEXT.replace("self: use", "self: mirror"));
});

test("mirror self takes one of --off and --use", async () => {
  expect(await self("--off", "--use", "--yes")).toBe(ExitCode.usage);
  expect(text()).toBe(TEXT);
});
