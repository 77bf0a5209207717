import type { ParsedConfig } from "./schema/index.js";

/** What a rule has against a config; the loader adds file, line and column. */
export interface ConfigIssue {
  severity: "error" | "warning";
  path: readonly (string | number)[];
  message: string;
  remedy: string;
}

/** A rule about values of a config that depend on each other. */
export type Rule = (config: ParsedConfig) => ConfigIssue | readonly ConfigIssue[] | undefined;

const issueOf =
  (severity: ConfigIssue["severity"]) =>
  (path: ConfigIssue["path"], message: string, remedy: string): ConfigIssue => ({
    severity,
    path,
    message,
    remedy,
  });

export const issueError = issueOf("error");
export const issueWarning = issueOf("warning");

/** @param path of the value, with dots between the keys */
export const error = (path: string, message: string, remedy: string): ConfigIssue =>
  issueError(path.split("."), message, remedy);

/** The same, for what stops nothing. */
export const warning = (path: string, message: string, remedy: string): ConfigIssue =>
  issueWarning(path.split("."), message, remedy);
