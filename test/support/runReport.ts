/** A report of a test run for CI: how many tests passed, and every failure with its message. */
import { writeFileSync } from "node:fs";
import { relative } from "node:path";
import type { Reporter, TestModule, TestSuite } from "vitest/node";

export interface Failure {
  name: string;
  messages: string[];
}

export interface Report {
  passed: number;
  failures: Failure[];
}

type Errors = ReadonlyArray<{ message?: string }>;

const failure = (name: string, errors: Errors): Failure => ({
  name,
  messages: errors.map(({ message }) => message ?? "no message"),
});

/** A hook that fails leaves its tests skipped. It counts as one failure, of the suite or of the file. */
function failuresOf(module: TestModule): Failure[] {
  const file = relative(process.cwd(), module.moduleId);
  const named = (suite: TestSuite) => `${file} > ${suite.fullName}`;
  return [
    ...(module.errors().length > 0 ? [failure(file, module.errors())] : []),
    ...[...module.children.allSuites()]
      .filter((suite) => suite.errors().length > 0)
      .map((suite) => failure(named(suite), suite.errors())),
    ...[...module.children.allTests("failed")].map((test) =>
      failure(`${file} > ${test.fullName}`, test.result().errors ?? []),
    ),
  ];
}

/** Writes a Report as JSON when the run ends. */
export class RunReport implements Reporter {
  constructor(private readonly file: string) {}

  onTestRunEnd(modules: readonly TestModule[], unhandled: Errors): void {
    const passed = modules.flatMap((module) => [...module.children.allTests("passed")]).length;
    const failures = modules.flatMap(failuresOf);
    if (unhandled.length > 0) failures.push(failure("outside of the tests", unhandled));
    if (modules.length === 0) failures.push({ name: "no test ran", messages: [] });
    const report: Report = { passed, failures };
    writeFileSync(this.file, JSON.stringify(report));
  }
}
