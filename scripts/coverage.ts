/**
 * Measures which lines of src/ the unit tests and the end-to-end tests run, and prints a table by room (folder of src/).
 * Arguments are end-to-end suites; without any, all of them run. With --report it prints what the last run measured. It takes
 * longer than the tests alone, and is none itself.
 */
import { readFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import { execa } from "execa";
import { markdownTable } from "./markdownTable.js";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const FOLDER = `${ROOT}coverage`;
const LOW = 60;

/** Why a room is below. */
const REASONS: Readonly<Record<string, string>> = {};

/** What istanbul's coverage-final.json has of a file, as far as it counts here. */
interface FileCoverage {
  path: string;
  statementMap: Record<string, { start: { line: number } }>;
  s: Record<string, number>;
}

/** Lines on which a statement begins: whether it ran. */
type Lines = Map<number, boolean>;

function linesOf(report: string): Map<string, Lines> {
  const files = Object.values(JSON.parse(readFileSync(report, "utf8")) as Record<string, FileCoverage>);
  return new Map(
    files.map(({ path, statementMap, s }) => {
      const lines: Lines = new Map();
      for (const [id, { start }] of Object.entries(statementMap))
        lines.set(start.line, lines.get(start.line) || (s[id] ?? 0) > 0);
      return [relative(`${ROOT}src`, path), lines];
    }),
  );
}

async function run(
  command: string,
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<void> {
  const { exitCode } = await execa(command, args, { cwd: ROOT, env, stdio: "inherit", reject: false });
  if (exitCode !== 0) console.log(`${command} ${args.join(" ")} ended with ${exitCode}: what ran counts`);
}

async function measure(suites: readonly string[]): Promise<void> {
  await rm(FOLDER, { recursive: true, force: true });
  const ofSource = ["--coverage.enabled", "--coverage.include=src/**", "--coverage.reportOnFailure"];
  const unitReport = [...ofSource, "--coverage.reporter=json", `--coverage.reportsDirectory=${FOLDER}/unit`];
  await run("npx", ["vitest", "run", "--project", "unit", ...unitReport]);
  await run("sh", ["test/e2e/run.sh", ...suites], { HEPHAESTUS_COVERAGE: `${FOLDER}/raw` });
  const c8 = ["--temp-directory", `${FOLDER}/raw`, "--reports-dir", `${FOLDER}/e2e`, "--reporter", "json"];
  // It asks for the names before it maps them to src/, too.
  await run("npx", ["c8", "report", "--merge-async", "--include", "dist/**", "--exclude", "", ...c8]);
}

const given = process.argv.slice(2);
if (given[0] !== "--report") await measure(given);

/** The statements are those of the unit tests' report, which has every file; both name the same lines of the source. */
const unit = linesOf(`${FOLDER}/unit/coverage-final.json`);
const e2e = linesOf(`${FOLDER}/e2e/coverage-final.json`);
const rooms = new Map<string, { lines: number; unit: number; e2e: number; both: number }>();
for (const [path, lines] of unit) {
  const name = path.includes("/") ? path.slice(0, path.indexOf("/")) : path;
  const room = rooms.get(name) ?? { lines: 0, unit: 0, e2e: 0, both: 0 };
  rooms.set(name, room);
  for (const [line, byUnit] of lines) {
    const byE2e = e2e.get(path)?.get(line) ?? false;
    room.lines++;
    if (byUnit) room.unit++;
    if (byE2e) room.e2e++;
    if (byUnit || byE2e) room.both++;
  }
}
const percent = (part: number, all: number) => (all === 0 ? 100 : Math.floor((100 * part) / all));
const rows = [...rooms].sort().map(([name, { lines, unit, e2e, both }]) => {
  const whole = percent(both, lines);
  const remark = whole < LOW ? (REASONS[name] ?? "BELOW, WITHOUT A REASON") : "";
  return [name, `${lines}`, `${percent(unit, lines)} %`, `${percent(e2e, lines)} %`, `${whole} %`, remark];
});
console.log(markdownTable(["room", "lines", "unit", "end to end", "together", ""], rows));
