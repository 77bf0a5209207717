import type { FindingCode } from "../operation/findingCodes.js";

/** Something that is wrong with a stack, or soon will be. */
export interface Finding {
  /** A name for machines, such as service-missing; several findings may have the same. */
  id: FindingCode;
  /** An error is a fault now; a warning is a possible or future fault. */
  severity: "error" | "warning";
  message: string;
  /** What shows it. */
  evidence: string;
  /** How to fix it, in the imperative. */
  remedy: string;
}

/** What findings are grouped by, in the order of the report. */
export const THEMES = [
  "Docker and Swarm",
  "Config and files",
  "Services",
  "Passwords and access",
  "Front door",
  "Traefik",
  "Storage",
  "Leftovers",
] as const;

export type Theme = (typeof THEMES)[number];

/** A finding in its group. */
export interface GroupedFinding extends Finding {
  theme: Theme;
}

type Part = readonly [id: FindingCode, message: string, evidence: string, remedy: string];

const of =
  (severity: Finding["severity"]) =>
  (...[id, message, evidence, remedy]: Part): Finding => ({ id, severity, message, evidence, remedy });

export const error = of("error");
export const warning = of("warning");

/** Errors first, each part in the order of the themes; the order within a theme stays. */
export function sortFindings(findings: readonly GroupedFinding[]): GroupedFinding[] {
  const rank = ({ severity, theme }: GroupedFinding) =>
    (severity === "error" ? 0 : THEMES.length) + THEMES.indexOf(theme);
  return [...findings].sort((a, b) => rank(a) - rank(b));
}
