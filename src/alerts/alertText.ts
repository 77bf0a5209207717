import { type Finding, severityCounts } from "../finding.js";

/** What changed since the last report. */
export interface AlertChange {
  stack: string;
  /** Findings that were not there. */
  found: readonly Finding[];
  /** Messages of findings that are no longer there. */
  resolved: readonly string[];
}

/**
 * What a finding is known by from one report to the next. Numbers do not count: 13 days become 12 while the finding stays
 * the same.
 */
export const keyOf = ({ code, message }: Pick<Finding, "code" | "message">): string =>
  `${code}: ${message.replace(/\d+(?:[.,]\d+)*/g, "#")}`;

/** One line, for a subject. */
export function subjectOf({ stack, found, resolved }: AlertChange): string {
  const parts = [...severityCounts(found), ...(resolved.length > 0 ? [`${resolved.length} resolved`] : [])];
  return `hephaestus ${stack}: ${parts.join(", ")}`;
}

/** The whole report as plain text. */
export const textOf = (change: AlertChange): string =>
  [
    subjectOf(change),
    ...change.found.flatMap(({ severity, message, evidence, remedy }) => [
      "",
      `${severity}: ${message}`,
      `    ${evidence}`,
      `    ${remedy}`,
    ]),
    ...(change.resolved.length > 0 ? [""] : []),
    ...change.resolved.map((message) => `resolved: ${message}`),
  ].join("\n");
