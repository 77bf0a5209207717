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
import { close, type LeftOut, leftOutFile } from "./support/closing.js";

process.chdir(fileURLToPath(new URL("../", import.meta.url)));
/** What the quick run leaves out: these wait for the gateway's own times. */
const SLOW = "**/*.slow.test.ts";
const isQuick = process.argv.includes("--quick");
/** Where `.ci/run` wants the reports, it prints the closing lines itself. */
const given = process.env.HEPHAESTUS_REPORTS;
const reports = given ?? mkdtempSync(join(tmpdir(), "hephaestus-reports-"));

/** Why the end-to-end tests cannot run here; empty where they can. */
function endToEndNeeds(): string {
  const { status, stderr } = spawnSync("sh", ["test/e2e/run.sh", "--check"], { encoding: "utf8" });
  return status === 0 ? "" : stderr.trim() || "test/e2e/run.sh --check failed.";
}

/** Why the gateway's tests cannot run here; empty where they can. Sources: test/gateway/programs.ts, plainStack.ts. */
function gatewayNeeds(): string {
  const isThere = (program: string) => spawnSync(program, ["--version"]).error === undefined;
  if (process.platform === "linux" && ["apt-get", "dpkg-deb"].every(isThere)) return "";
  return "The gateway's tests unpack nginx and a registry from packages of Debian or Ubuntu, which needs apt-get and dpkg-deb on Linux.";
}

/** The suites of a project, where they cannot run here. */
function leftOut(project: string, reason: string): LeftOut[] {
  const suites = readdirSync(`test/${project}`).flatMap((name) => /^(.+)\.test\.ts$/.exec(name)?.[1] ?? []);
  if (reason !== "") console.log(`Left out: ${suites.length} suites of test/${project}. ${reason}`);
  return reason === "" ? [] : [{ project, suites, reason }];
}

/** Runs one of the scripts of package.json, with options. @returns its exit code */
async function script(
  name: string,
  output: "inherit" | "pipe" = "inherit",
  options: readonly string[] = [],
): Promise<number> {
  const env = { ...process.env, HEPHAESTUS_REPORTS: reports };
  const child = spawn("npm", ["run", name, "--", ...options], { stdio: ["inherit", output, output], env });
  const said: Buffer[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on("data", (part: Buffer) => said.push(part));
  const [status] = (await once(child, "close")) as [number | null];
  process.stdout.write(Buffer.concat(said));
  return status ?? 1;
}

const missing = [...leftOut("gateway", gatewayNeeds()), ...(isQuick ? [] : leftOut("e2e", endToEndNeeds()))];
const runs = (project: string) => missing.every((one) => one.project !== project);
if (missing.length > 0) writeFileSync(leftOutFile(reports), JSON.stringify(missing));
const endToEnd = !isQuick && runs("e2e");
// What the end-to-end tests fetch and build comes meanwhile. They say themselves what is not there.
const prefetched = endToEnd
  ? once(spawn("sh", ["test/e2e/run.sh", "--prefetch"], { stdio: ["ignore", "inherit", "inherit"] }), "close")
  : undefined;
if (isQuick) process.env.HEPHAESTUS_FUZZ ??= "2000";
if (isQuick) process.env.HEPHAESTUS_SWEEP ??= "3";

/** What runs side by side; each step only where all before it were well. What the second one says comes when it has ended. */
const steps = [
  [() => script("lint"), () => script("types", "pipe")],
  [
    () => script("test:unit"),
    async () => {
      // The gateway's tests use the same packages.
      await prefetched;
      const options = isQuick ? ["--exclude", SLOW] : [];
      return runs("gateway") ? script("test:gateway", "pipe", options) : 0;
    },
  ],
  [async () => (endToEnd ? script("test:e2e") : 0)],
];
let status = 0;
for (const step of steps)
  if (status === 0) status = Math.max(...(await Promise.all(step.map((run) => run()))));
process.exitCode = status;
if (given === undefined) {
  process.exitCode = close(reports, status, isQuick);
  rmSync(reports, { recursive: true });
}
