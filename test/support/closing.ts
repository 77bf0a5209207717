/** The closing lines of a test run: `tsx test/support/closing.ts FOLDER STATUS` prints those of the reports in a folder. */
import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Failure, Report } from "./runReport.js";

/** What a run leaves out of a project, all of it, and why. */
export interface LeftOut {
  project: string;
  suites: string[];
  reason: string;
}

export interface Run {
  /** Reports by their name; undefined where there is none, though its tests were to run. */
  reports: Readonly<Record<string, Report | undefined>>;
  leftOut?: readonly LeftOut[];
  /** Exit code of the test command. */
  status: number;
  /** In CI all is to run: what did not is a failure. */
  isComplete: boolean;
}

const CHARACTERS = 1000;
/** The projects of vitest.config.ts that need neither root nor Docker. Each writes a report of its name. */
const QUICK = ["unit", "gateway"];
/** Reports of the end-to-end tests, which run in parts. */
const END_TO_END = ["e2e", "e2e-rolls", "e2e-faults"];

/** @returns the lines, what failed last but one, and the exit code */
export function closing({ reports, leftOut = [], status, isComplete }: Run): {
  lines: string[];
  exitCode: number;
} {
  const found = Object.entries(reports);
  const passed = found.reduce((sum, [, report]) => sum + (report?.passed ?? 0), 0);
  const skipped = found.flatMap(([, report]) => report?.skipped ?? []);
  const suites = leftOut.flatMap(({ suites, reason }) => suites.map((name) => ({ name, reason })));
  // A run that failed before its tests began has no report, and counts as a failure.
  const failures: Failure[] = found.flatMap(([name, report]) =>
    report ? report.failures : [{ name: `no report of the ${name} tests`, messages: [] }],
  );
  if (isComplete) {
    failures.push(...skipped.map((name) => ({ name, messages: ["was skipped"] })));
    failures.push(...suites.map(({ name, reason }) => ({ name, messages: [`was left out: ${reason}`] })));
  }
  if (status !== 0 && failures.length === 0)
    failures.push({ name: `the test command ended with exit code ${status}`, messages: [] });
  const notRun = isComplete
    ? []
    : [
        ...skipped.map((name) => `SKIPPED ${name}`),
        ...leftOut.map(({ suites, reason }) => `LEFT OUT ${suites.join(", ")}: ${reason}`),
      ];
  const failed = failures.flatMap(({ name, messages }) => [
    `FAILED ${name}`,
    ...messages.map((message) => message.slice(0, CHARACTERS).replace(/^/gm, "    ")),
  ]);
  const counts = [
    `${passed} passed, ${failures.length} failed`,
    ...(isComplete ? [] : [`${skipped.length} skipped`]),
    ...(suites.length > 0 && !isComplete ? [`${suites.length} suites left out`] : []),
  ].join(", ");
  return { lines: [...notRun, ...failed, counts], exitCode: failures.length === 0 ? 0 : 1 };
}

/** Where a run notes what it leaves out. */
export const leftOutFile = (folder: string): string => `${folder}/leftOut.json`;

/**
 * Prints the closing lines of the reports in a folder.
 *
 * @param status exit code of the test command
 * @returns the exit code of the run
 */
export function close(folder: string, status: number, isQuick = false): number {
  const read = <T>(file: string): T | undefined =>
    existsSync(file) ? (JSON.parse(readFileSync(file, "utf8")) as T) : undefined;
  const leftOut = read<LeftOut[]>(leftOutFile(folder)) ?? [];
  const isLeftOut = (name: string) => leftOut.some(({ project }) => project === name);
  const names = [...QUICK, ...(isQuick || isLeftOut("e2e") ? [] : END_TO_END)].filter(
    (name) => !isLeftOut(name),
  );
  const reports = Object.fromEntries(names.map((name) => [name, read<Report>(`${folder}/${name}.json`)]));
  const { lines, exitCode } = closing({ reports, leftOut, status, isComplete: Boolean(process.env.CI) });
  console.log(lines.join("\n"));
  return exitCode;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const [folder = "", status = "1"] = process.argv.slice(2);
  process.exitCode = close(folder, Number(status));
}
