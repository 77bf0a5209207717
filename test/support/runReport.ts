/** A report of a test run: how many tests passed, every failure with its message, and how to run that test alone. */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestCase, TestModule, TestSuite } from "vitest/node";

export interface Failure {
  name: string;
  messages: string[];
}

export interface Report {
  passed: number;
  failures: Failure[];
  /** Names of tests that were not run, though nothing failed before. */
  skipped: string[];
}

/**
 * The command that runs a test alone; for a test of a story with those before it, which it builds on.
 *
 * @param file of the test, as seen from the repository
 * @param name of the test without its suites; undefined for all of the file
 */
export function commandFor(file: string, name: string | undefined): string {
  const suite = /^test\/e2e\/(.*)\.test\.ts$/.exec(file)?.[1];
  const project = file.startsWith("test/gateway/") ? "gateway" : "unit";
  const command = suite ? `npm run test:e2e ${suite}` : `npm run test:${project} ${file}`;
  if (name === undefined) return command;
  // -t takes a regular expression, and the shell takes quotes.
  const pattern = name.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&").replaceAll("'", "'\\''");
  return `${command} -- -t '${pattern}'`;
}

const alone = (file: string, test?: TestCase): string =>
  `run it alone: ${commandFor(file, test?.meta().story ? undefined : test?.name)}`;

type Errors = ReadonlyArray<{ message?: string }>;

const failure = (name: string, errors: Errors, ...more: string[]): Failure => ({
  name,
  messages: [...errors.map(({ message }) => message ?? "no message"), ...more],
});

/** A hook that fails leaves its tests skipped. It counts as one failure, of the suite or of the file. */
function failuresOf(module: TestModule): Failure[] {
  const file = relative(process.cwd(), module.moduleId);
  const named = (suite: TestSuite) => `${file} > ${suite.fullName}`;
  return [
    ...(module.errors().length > 0 ? [failure(file, module.errors(), alone(file))] : []),
    ...[...module.children.allSuites()]
      .filter((suite) => suite.errors().length > 0)
      .map((suite) => failure(named(suite), suite.errors(), alone(file))),
    ...[...module.children.allTests("failed")].map((test) =>
      failure(`${file} > ${test.fullName}`, test.result().errors ?? [], alone(file, test)),
    ),
  ];
}

/** Where something failed, what was skipped follows from it. */
function skippedOf(module: TestModule): string[] {
  const file = relative(process.cwd(), module.moduleId);
  return [...module.children.allTests("skipped")].map((test) => {
    const result = test.result();
    const why = result.state === "skipped" && result.note ? ` (${result.note})` : "";
    return `${file} > ${test.fullName}${why}`;
  });
}

/** Prints how to run alone what failed, and writes a Report as JSON to a file, if there is one. */
export class RunReport implements Reporter {
  constructor(private readonly file?: string) {}

  onTestRunEnd(modules: readonly TestModule[], unhandled: Errors): void {
    const passed = modules.flatMap((module) => [...module.children.allTests("passed")]).length;
    const failures = modules.flatMap(failuresOf);
    if (unhandled.length > 0) failures.push(failure("outside of the tests", unhandled));
    if (modules.length === 0) failures.push({ name: "no test ran", messages: [] });
    const skipped = modules
      .filter((module) => failuresOf(module).length === 0)
      .flatMap((module) => skippedOf(module));
    const report: Report = { passed, failures, skipped };
    for (const { name, messages } of failures) console.log(`FAILED ${name}\n    ${messages.at(-1)}`);
    if (this.file) writeFileSync(this.file, JSON.stringify(report));
  }
}
