import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { afterAll, expect, test } from "vitest";
import { commandFor, type Report } from "../support/runReport.js";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const folder = mkdtempSync(`${ROOT}test/unit/run-report-`);
afterAll(() => rmSync(folder, { recursive: true }));

test("what failed says how to run it alone; a story ends where it fails, and says so", async () => {
  const file = `${folder}/sample.test.ts`;
  writeFileSync(
    file,
    `import { expect, test } from "vitest";
     import { story } from "../../support/story.js";
     story();
     test("begins", () => {});
     test("fails", () => expect(1).toBe(2));
     test("builds on it", () => {});`,
  );
  const run = await execa("npx", ["vitest", "run", "--project", "unit", file], {
    cwd: ROOT,
    env: { HEPHAESTUS_REPORTS: folder, HEPHAESTUS_PART: "", NO_COLOR: "1" },
    reject: false,
  });
  const name = file.slice(ROOT.length);
  expect(run.stdout.split("\n").slice(-2)).toEqual([
    `FAILED ${name} > fails`,
    `    run it alone: npm run test:unit ${name}`,
  ]);
  expect(run.stdout).toMatch(/1 failed \| 1 passed \| 1 skipped/);
  expect(run.stdout).toContain('[not run: "fails" failed]');
  const report = JSON.parse(readFileSync(`${folder}/unit.json`, "utf8")) as Report;
  expect(report).toMatchObject({ passed: 1, failures: [{ name: `${name} > fails` }] });
});

test.each([
  ["test/e2e/gc.test.ts", undefined, "npm run test:e2e gc"],
  ["test/e2e/gc.test.ts", "frees 3 (of 4)", "npm run test:e2e gc -- -t 'frees 3 \\(of 4\\)'"],
  ["test/unit/a.test.ts", "Ann's", "npm run test:unit test/unit/a.test.ts -- -t 'Ann'\\''s'"],
])("%s, %s: %s", (file, name, command) => {
  expect(commandFor(file, name)).toBe(command);
});
