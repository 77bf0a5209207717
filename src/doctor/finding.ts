import type { FindingCode } from "../operation/findingCodes.js";
import type { Finding } from "../operation/findings.js";

export type { Finding };

/** What findings are grouped by, in the order of the report. */
const THEMES = [
  "Docker and Swarm",
  "Config and files",
  "Services",
  "Passwords and access",
  "Front door",
  "Traefik",
  "Storage",
  "Maintenance",
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
