/**
 * `npm test`: all tests that this machine can run, and what it leaves out is said before and after. `npm run test:quick`: what
 * needs neither root nor Docker.
 */
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { close, type LeftOut, leftOutFile, QUICK } from "./support/closing.js";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
/** What the quick run leaves out: these wait for the gateway's own times. */
const SLOW = "**/*.slow.test.ts";
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

/** Runs one of the scripts of package.json, with options. @returns its exit code */
async function script(name: string, ...options: string[]): Promise<number> {
  const env = { ...process.env, HEPHAESTUS_REPORTS: reports };
  const [status] = (await once(
    spawn("npm", ["run", name, "--", ...options], { stdio: "inherit", env }),
    "close",
  )) as [number | null];
  return status ?? 1;
}

/** @returns the exit code of the first script that fails; those behind it do not run */
async function inTurn(...names: string[]): Promise<number> {
  for (const name of names) {
    const status = await script(name);
    if (status !== 0) return status;
  }
  return 0;
}

const missing = isQuick ? undefined : leftOut();
if (missing) {
  console.log(`Left out: ${missing.suites.length} end-to-end suites. ${missing.reason}`);
  writeFileSync(leftOutFile(reports), JSON.stringify(missing));
}
const endToEnd = !isQuick && missing === undefined;
// What the end-to-end tests fetch and build comes meanwhile. They say themselves what is not there.
const prefetched = endToEnd
  ? once(spawn("sh", ["test/e2e/run.sh", "--prefetch"], { stdio: ["ignore", "inherit", "inherit"] }), "close")
  : undefined;
if (isQuick) process.env.HEPHAESTUS_FUZZ ??= "2000";
let status = await inTurn("lint", "types");
const [unit = "", gateway = ""] = QUICK.map((project) => `test:${project}`);
if (status === 0) status = await inTurn(unit);
// The gateway's tests use the same packages. They measure time, so nothing runs beside them.
await prefetched;
if (status === 0) status = await script(gateway, ...(isQuick ? ["--exclude", SLOW] : []));
if (status === 0 && endToEnd) status = await script("test:e2e");
process.exitCode = status;
if (given === undefined) {
  process.exitCode = close(reports, status, isQuick);
  rmSync(reports, { recursive: true });
}
