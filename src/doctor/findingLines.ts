import { colours } from "../terminal/output.js";

/** What is shown of a finding. */
interface Shown {
  theme: string;
  id: string;
  severity: "error" | "warning";
  message: string;
  evidence: string;
  remedy: string;
}

/** Findings for a person, in groups: what, the evidence, and how to fix it. */
export function findingLines(findings: readonly Shown[]): string[] {
  let last = "";
  return findings.flatMap(({ theme, id, severity, message, evidence, remedy }) => {
    const colour = severity === "error" ? colours.red : colours.yellow;
    const head = theme === last ? [] : [...(last === "" ? [] : [""]), colours.bold(theme)];
    last = theme;
    return [
      ...head,
      `  ${colour(`${severity}:`)} ${message} ${colours.dim(`[${id}]`)}`,
      `    seen by: ${indented(evidence)}`,
      `    remedy:  ${indented(remedy)}`,
    ];
  });
}

/** Further lines stand below the first. */
const indented = (text: string): string => text.split("\n").join("\n             ");
