import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "./context.js";
import type { FindingCode } from "./findingCodes.js";

/** An error that prevents a deploy, or a warning. */
export interface PreflightFinding {
  severity: "error" | "warning";
  message: string;
  remedy: string;
}

/** A finding with a code and evidence. */
export interface SwarmFinding extends PreflightFinding {
  id: FindingCode;
  evidence: string;
}

/**
 * Shows the warnings.
 *
 * @throws OperatorError with all errors and their remedies, if there are any
 */
export function reportFindings({ reporter }: DeployContext, findings: readonly PreflightFinding[]): void {
  const errors = findings.filter(({ severity }) => severity === "error");
  for (const { severity, message, remedy } of findings) {
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
