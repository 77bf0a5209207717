/**
 * Findings: what is wrong with a stack, or soon will be. Each check declares its kinds, with a code, and
 * makes findings of them.
 */

/** What findings are grouped by, in the order of the report. */
export const THEMES = [
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

/**
 * An error is a fault now, and prevents a deploy if preflight finds it. A warning is a possible or future
 * fault.
 */
export type Severity = "error" | "warning";

export interface Finding {
  /** A name for programs, such as service-missing; several findings may have the same. */
  code: string;
  theme: Theme;
  severity: Severity;
  message: string;
  /** What shows it. */
  evidence: string;
  /** How to fix it, in the imperative. */
  remedy: string;
}

/** A kind of finding. Names in braces, such as {service}, are filled in when one is found. */
export interface Kind<Message extends string = string, Remedy extends string = string> {
  severity: Severity | "error or warning";
  message: Message;
  remedy: Remedy;
  /** What docs/findings.md says instead, if the text here has hardly a word of its own. */
  page?: { meaning?: string; remedy?: string };
}

const kindOf =
  (severity: Kind["severity"]) =>
  <const Message extends string, const Remedy extends string>(
    message: Message,
    remedy: Remedy,
    page: NonNullable<Kind["page"]> = {},
  ): Kind<Message, Remedy> => ({ severity, message, remedy, page });

export const error = kindOf("error");
export const warning = kindOf("warning");
/** The one or the other, which the check says; an error if it does not. */
export const errorOrWarning = kindOf("error or warning");

type Names<Text extends string> = Text extends `${string}{${infer Name}}${infer Rest}`
  ? Name | Names<Rest>
  : never;
type Values<One extends Kind> = Readonly<Record<Names<One["message"] | One["remedy"]>, string | number>>;

/** The kinds of one theme, by their codes. */
export interface FindingKinds<Kinds extends Readonly<Record<string, Kind>> = Readonly<Record<string, Kind>>> {
  readonly theme: Theme;
  readonly kinds: Kinds;
  /** @param values for the names in braces */
  found<Code extends string & keyof Kinds>(
    code: Code,
    values: Values<Kinds[Code]>,
    evidence: string,
    severity?: Severity,
  ): Finding;
}

export const findingKinds = <const Kinds extends Readonly<Record<string, Kind>>>(
  theme: Theme,
  kinds: Kinds,
): FindingKinds<Kinds> => ({
  theme,
  kinds,
  found(code, values: Readonly<Record<string, string | number>>, evidence, severity) {
    const kind = kinds[code] as Kind;
    const filled = (text: string) => text.replace(/\{(\w+)\}/g, (_, name: string) => String(values[name]));
    return {
      code,
      theme,
      severity: severity ?? (kind.severity === "warning" ? "warning" : "error"),
      message: filled(kind.message),
      evidence,
      remedy: filled(kind.remedy),
    };
  },
});

/** Errors first, each part in the order of the themes; the order within a theme stays. */
export function sortFindings(findings: readonly Finding[]): Finding[] {
  const rank = ({ severity, theme }: Finding) =>
    (severity === "error" ? 0 : THEMES.length) + THEMES.indexOf(theme);
  return [...findings].sort((a, b) => rank(a) - rank(b));
}

/** "1 error" and "2 warnings", each if there are some. */
export function severityCounts(findings: readonly Pick<Finding, "severity">[]): string[] {
  const errors = findings.filter(({ severity }) => severity === "error").length;
  return [counted(errors, "error"), counted(findings.length - errors, "warning")].filter(Boolean);
}

const counted = (count: number, word: string): string =>
  count === 0 ? "" : `${count} ${word}${count === 1 ? "" : "s"}`;
