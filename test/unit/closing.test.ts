import { describe, expect, test } from "vitest";
import { closing, type Run } from "../support/closing.js";

const report = (passed: number, more = {}) => ({ passed, failures: [], skipped: [], ...more });
const skipped = report(3, { skipped: ["a.test.ts > fish (is not installed)"] });
const leftOut = [
  { project: "e2e", suites: ["gc", "deploy"], reason: "needs root" },
  { project: "gateway", suites: ["rules"], reason: "needs Debian" },
];

const close = (run: Partial<Run>) => closing({ reports: {}, status: 0, isComplete: false, ...run });

describe("the closing lines", () => {
  test("count what passed", () => {
    const run = { reports: { unit: report(3), e2e: report(4) } };
    expect(close(run)).toEqual({ lines: ["7 passed, 0 failed, 0 skipped"], exitCode: 0 });
    expect(close({ ...run, isComplete: true })).toEqual({ lines: ["7 passed, 0 failed"], exitCode: 0 });
  });

  test("name and count what was skipped and left out", () => {
    expect(close({ reports: { unit: skipped }, leftOut })).toEqual({
      lines: [
        "SKIPPED a.test.ts > fish (is not installed)",
        "LEFT OUT gc, deploy: needs root",
        "LEFT OUT rules: needs Debian",
        "3 passed, 0 failed, 1 skipped, 3 suites left out",
      ],
      exitCode: 0,
    });
  });

  test("call it a failure in CI", () => {
    expect(close({ reports: { unit: skipped }, leftOut, isComplete: true })).toEqual({
      lines: [
        "FAILED a.test.ts > fish (is not installed)",
        "    was skipped",
        "FAILED gc",
        "    was left out: needs root",
        "FAILED deploy",
        "    was left out: needs root",
        "FAILED rules",
        "    was left out: needs Debian",
        "3 passed, 4 failed",
      ],
      exitCode: 1,
    });
  });

  test("name what failed with its message, a report that is missing, and a command that failed by itself", () => {
    const failures = [{ name: "a.test.ts > b", messages: ["no\nno"] }];
    const { lines, exitCode } = close({
      reports: { unit: report(1, { failures }), e2e: undefined },
      status: 1,
    });
    expect(lines).toEqual([
      "FAILED a.test.ts > b",
      "    no\n    no",
      "FAILED no report of the e2e tests",
      "1 passed, 2 failed, 0 skipped",
    ]);
    expect(exitCode).toBe(1);
    expect(close({ reports: { unit: report(1) }, status: 137 })).toEqual({
      lines: ["FAILED the test command ended with exit code 137", "1 passed, 1 failed, 0 skipped"],
      exitCode: 1,
    });
  });
});
