import { ExitCode, OperatorError } from "../errors.js";
import type { WarningCode } from "./configIssue.js";

/** One thing that is wrong (or risky) in a config file. Lines and columns count from 1. */
export interface Finding {
  severity: "error" | "warning";
  file: string;
  line: number;
  column: number;
  /** The config path, such as registry.storage.path; empty for the file as a whole. */
  path: string;
  message: string;
  remedy: string;
  /** What doctor calls a warning; config-warning by default. */
  code?: WarningCode;
}

/** Config findings as text, one block each: place, path, what is wrong, how to fix it. */
export function formatFinding(finding: Finding): string {
  const place = `${finding.file}:${finding.line}:${finding.column}`;
  const path = finding.path === "" ? "" : ` ${finding.path}:`;
  return `${place}: ${finding.severity}:${path} ${finding.message}\n    ${finding.remedy}`;
}

/** Findings in the order of the file. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  return [...findings].sort((a, b) => a.line - b.line || a.column - b.column);
}

/** Thrown when a config has errors; holds every finding, warnings included. */
export class ConfigError extends OperatorError {
  constructor(readonly findings: readonly Finding[]) {
    const errors = findings.filter(({ severity }) => severity === "error").length;
    super(`${errors} ${errors === 1 ? "mistake" : "mistakes"} in the config`, {
      exitCode: ExitCode.config,
      remedy: "Fix the listed problems, then run the same command again.",
    });
    this.name = "ConfigError";
  }
}
