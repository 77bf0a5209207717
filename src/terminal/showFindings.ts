import { ExitCode, OperatorError } from "../errors.js";
import type { Finding } from "../finding.js";
import { colours } from "./output.js";
import type { Reporter } from "./reporter.js";

/** Findings for a person, in groups: what, the evidence, and how to fix it. */
export function findingLines(findings: readonly Finding[]): string[] {
  let last = "";
  return findings.flatMap(({ theme, code, severity, message, evidence, remedy }) => {
    const colour = severity === "error" ? colours.red : colours.yellow;
    const head = theme === last ? [] : [...(last === "" ? [] : [""]), colours.bold(theme)];
    last = theme;
    return [
      ...head,
      `  ${colour(`${severity}:`)} ${message} ${colours.dim(`[${code}]`)}`,
      `    seen by: ${indented(evidence)}`,
      `    remedy:  ${indented(remedy)}`,
    ];
  });
}

/** Further lines stand below the first. */
const indented = (text: string): string => text.split("\n").join("\n             ");

/** A finding among the steps of a command. */
const paragraph = ({ code, message, evidence, remedy }: Finding): string =>
  `${message} [${code}]\n    ${evidence}\n    ${remedy}`;

/** Shows findings that stop nothing. */
export function noteFindings(reporter: Reporter, findings: readonly Finding[]): void {
  for (const finding of findings) reporter.note("warning", paragraph(finding));
}

/**
 * Shows the warnings.
 *
 * @throws OperatorError with all errors and their remedies, if there are any
 */
export function reportFindings(reporter: Reporter, findings: readonly Finding[]): void {
  const errors = findings.filter(({ severity }) => severity === "error");
  noteFindings(
    reporter,
    findings.filter(({ severity }) => severity === "warning"),
  );
  if (errors.length > 0) {
    throw new OperatorError(`\n  ${errors.map(paragraph).join("\n  ")}`, {
      where: `preflight found ${errors.length} ${errors.length === 1 ? "obstacle" : "obstacles"}`,
      exitCode: ExitCode.preflight,
    });
  }
}
