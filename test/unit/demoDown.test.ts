import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterEach, beforeEach, expect, test, vi } from "vitest";

/** A folder in the place of this checkout, in modules of the demo that only this file has. */
const CHECKOUT = `${mkdtempSync(`${tmpdir()}/demo-down-`)}/`;
vi.resetModules();
vi.doMock("../support/checkout.js", () => ({ CHECKOUT }));
const { takeDown } = await import("../../demo/down.js");
const { STACK, STACK_FOLDER } = await import("../../demo/state.js");
vi.doUnmock("../support/checkout.js");
vi.resetModules();
if (!STACK_FOLDER.startsWith(CHECKOUT)) throw new Error(`The demo would work in ${STACK_FOLDER}.`);

let programs: string;
const calls = () => readFileSync(`${programs}/calls`, "utf8").trim().split("\n");

/** A checkout with the stack of a demo, an engine, and a `destroy` with this exit code. */
function demoWith({ stack = STACK, isManager = true, destroyEnds = 0 }): void {
  mkdirSync(STACK_FOLDER, { recursive: true });
  writeFileSync(`${STACK_FOLDER}/hephaestus.yaml`, `stack: ${stack}\ndomain: localhost\n`);
  mkdirSync(`${CHECKOUT}bin`, { recursive: true });
  const program = `require("node:fs").appendFileSync("${programs}/calls", process.argv.slice(2).join(" ") + "\\n");`;
  writeFileSync(`${CHECKOUT}bin/hephaestus.js`, `${program} process.exitCode = ${destroyEnds};`);
  const docker = `#!/bin/sh\necho "docker $*" >> ${programs}/calls\n[ "$1" != info ] || echo ${isManager}\n`;
  writeFileSync(`${programs}/docker`, docker, { mode: 0o755 });
  writeFileSync(`${programs}/calls`, "");
}

beforeEach(() => {
  programs = mkdtempSync(`${tmpdir()}/demo-down-`);
  vi.stubEnv("PATH", `${programs}:${process.env.PATH}`);
  vi.spyOn(process.stdout, "write").mockReturnValue(true);
});

afterEach(() => {
  vi.restoreAllMocks();
  vi.unstubAllEnvs();
  for (const folder of [programs, CHECKOUT]) rmSync(folder, { recursive: true, force: true });
});

test("the demo removes its stack, its images and its folder, and does so again", async () => {
  demoWith({});
  await takeDown({ images: ["made:1"] });
  expect(calls()).toEqual([
    "docker version",
    "docker info --format {{.Swarm.ControlAvailable}}",
    "destroy --yes",
    "docker image rm made:1",
  ]);
  expect(existsSync(STACK_FOLDER)).toBe(false);
  await takeDown({ images: [] });
  expect(calls().slice(4)).toEqual(["docker version"]);
});

test.each([
  ["the config has the name of another stack", { stack: "hephaestus" }],
  ["the config names no stack", { stack: "" }],
  ["the engine is no manager any more", { isManager: false }],
])("the demo removes no stack where %s, and all the rest", async (_, found) => {
  demoWith(found);
  await takeDown({ images: ["made:1"], swarm: true });
  expect(calls()).not.toContain("destroy --yes");
  expect(calls()).toEqual(expect.arrayContaining(["docker image rm made:1", "docker swarm leave --force"]));
  expect(existsSync(STACK_FOLDER)).toBe(false);
});

test("where the stack cannot be removed the demo removes the rest, fails, and knows its stack the next time", async () => {
  demoWith({ destroyEnds: 5 });
  await expect(takeDown({ images: ["made:1"] })).rejects.toThrow("ended with exit code 5");
  expect(calls()).toContain("docker image rm made:1");
  expect(existsSync(STACK_FOLDER)).toBe(true);
  demoWith({});
  await takeDown({ images: ["made:1"] });
  expect(calls()).toContain("destroy --yes");
  expect(existsSync(STACK_FOLDER)).toBe(false);
});

test("a stack that cannot be removed goes with the Swarm of the demo", async () => {
  demoWith({ destroyEnds: 5 });
  await takeDown({ images: [], swarm: true });
  expect(calls().slice(-2)).toEqual(["destroy --yes", "docker swarm leave --force"]);
  expect(existsSync(STACK_FOLDER)).toBe(false);
});
