import { readdirSync } from "node:fs";
import { expect, test } from "vitest";
import { LAYERS, layoutFaults } from "../../scripts/layout.js";

const faults = (path: string, text: string) => layoutFaults(new Map([[path, text]]));

test("imports from the own layer and from those below are right", () => {
  expect(
    faults("deploy/a.ts", 'import { b } from "./b.js";\nimport { run } from "../docker/run.js";'),
  ).toEqual([]);
  expect(faults("commands/a.ts", 'await import("../alerts/a.js")')).toEqual([]);
  expect(faults("render/templates.ts", 'import { readFileSync } from "node:fs";')).toEqual([]);
});

test("an import from a layer above is a fault, however it is written", () => {
  const expected = ["src/docker/a.ts: imports deploy/b.ts, which is in a layer above it"];
  expect(faults("docker/a.ts", 'import type { B } from "../deploy/b.js";')).toEqual(expected);
  expect(faults("docker/a.ts", 'export {\n  b,\n} from "../deploy/b.js";')).toEqual(expected);
  expect(faults("docker/a.ts", 'import "../deploy/b.js";')).toEqual(expected);
  expect(faults("docker/a.ts", 'const b = await import("../deploy/b.js");')).toEqual(expected);
});

test("a package outside its layers is a fault, and so is an edge in the pure core", () => {
  expect(faults("deploy/a.ts", 'import { execa } from "execa";')).toEqual([
    "src/deploy/a.ts: imports execa, which belongs in docker or host",
  ]);
  expect(faults("services/a.ts", 'import { readFile } from "node:fs/promises";')).toEqual([
    "src/services/a.ts: imports node:fs/promises, but services is pure",
  ]);
});

test("a circle of imports is a fault, also inside a folder", () => {
  const modules = new Map([
    ["docker/a.ts", 'import type { B } from "./b.js";'],
    ["docker/b.ts", 'import { c } from "./c.js";'],
    ["docker/c.ts", 'import { a } from "./a.js";\nimport { d } from "./d.js";'],
    ["docker/d.ts", ""],
  ]);
  expect(layoutFaults(modules)).toEqual([
    "a circle of imports: docker/a.ts -> docker/b.ts -> docker/c.ts -> docker/a.ts",
  ]);
});

test("text reaches the terminal in one place", () => {
  const text = "process.stderr.write(name);";
  expect(faults("commands/a.ts", text)).toEqual([
    "src/commands/a.ts: writes to the terminal by itself, which belongs in src/terminal/output.ts",
  ]);
  expect(faults("terminal/output.ts", text)).toEqual([]);
});

test("every folder has a layer, and no file name stands for two things", () => {
  const entries = readdirSync("src", { recursive: true, withFileTypes: true });
  const top = entries.filter(({ parentPath }) => parentPath === "src").map(({ name }) => name);
  expect(top.sort()).toEqual([...LAYERS].sort());
  // A command, what it runs, a service and its part of the config have the same name.
  const named = ["src/commands", "src/services", "src/config/schema"];
  const files = entries.filter((entry) => entry.isFile() && !named.includes(entry.parentPath));
  const names = files.map(({ name }) => name).filter((name) => name !== "index.ts");
  expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
});
