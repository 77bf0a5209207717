import { ExitCode, OperatorError } from "../errors.js";
import type { Reporter } from "../terminal/reporter.js";
import type { FindingCode } from "./findingCodes.js";

/** An error that prevents a deploy, or a warning. */
export interface Problem {
  /** An error is a fault now; a warning is a possible or future fault. */
  severity: "error" | "warning";
  message: string;
  /** How to fix it, in the imperative. */
  remedy: string;
}

/** Something that is wrong with a stack, or soon will be. */
export interface Finding extends Problem {
  /** A name for machines, such as service-missing; several findings may have the same. */
  id: FindingCode;
  /** What shows it. */
  evidence: string;
}

/** "1 error" and "2 warnings", each where there are some. */
export function severityCounts(findings: readonly Pick<Problem, "severity">[]): string[] {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  return [counted(errors, "error"), counted(findings.length - errors, "warning")].filter(Boolean);
}

const counted = (count: number, word: string): string =>
  count === 0 ? "" : `${count} ${word}${count === 1 ? "" : "s"}`;

/**
 * Shows the warnings.
 *
 * @throws OperatorError with all errors and their remedies, if there are any
 */
export function reportProblems(reporter: Reporter, problems: readonly Problem[]): void {
  const errors = problems.filter(({ severity }) => severity === "error");
  for (const { severity, message, remedy } of problems) {
    if (severity === "warning") reporter.note("warning", `${message}\n    ${remedy}`);
  }
  if (errors.length > 0) {
    const [first, ...others] = errors.map(({ message, remedy }) => `${message}\n    ${remedy}`);
    throw new OperatorError(`\n  ${[first, ...others].join("\n  ")}`, {
      where: `preflight found ${errors.length} ${errors.length === 1 ? "obstacle" : "obstacles"}`,
      exitCode: ExitCode.preflight,
    });
  }
}
