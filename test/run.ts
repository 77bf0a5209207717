/**
 * `npm test`: all tests that this machine can run, and what it leaves out is said before and after. `npm run test:quick`: what
 * needs neither root nor Docker.
 */
import { spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { close, type LeftOut, leftOutFile, QUICK } from "./support/closing.js";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
const isQuick = process.argv.includes("--quick");
/** Where `.ci/run` wants the reports, it prints the closing lines itself. */
const given = process.env.HEPHAESTUS_REPORTS;
const reports = given ?? mkdtempSync(join(tmpdir(), "hephaestus-reports-"));

/** The end-to-end suites, where they cannot run here. */
function leftOut(): LeftOut | undefined {
  const check = spawnSync("sh", ["test/e2e/run.sh", "--check"], { encoding: "utf8" });
  if (check.status === 0) return undefined;
  const suites = readdirSync("test/e2e").flatMap((name) => /^(.+)\.test\.ts$/.exec(name)?.[1] ?? []);
  return { suites, reason: check.stderr.trim() };
}

/** @returns the exit code of the first step that fails */
function run(steps: readonly (readonly string[])[]): number {
  for (const step of steps) {
    const env = { ...process.env, HEPHAESTUS_REPORTS: reports };
    const { status } = spawnSync("npm", ["run", ...step], { stdio: "inherit", env });
    if (status !== 0) return status ?? 1;
  }
  return 0;
}

const missing = isQuick ? undefined : leftOut();
if (missing) {
  console.log(`Left out: ${missing.suites.length} end-to-end suites. ${missing.reason}`);
  writeFileSync(leftOutFile(reports), JSON.stringify(missing));
}
const status = run([
  ["lint"],
  ["types"],
  // Builds first.
  ...QUICK.map((project) => [`test:${project}`]),
  ...(isQuick || missing ? [] : [["test:e2e"]]),
]);
process.exitCode = status;
if (given === undefined) {
  process.exitCode = close(reports, status, isQuick);
  rmSync(reports, { recursive: true });
}
