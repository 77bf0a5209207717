import type { ParsedConfig } from "./schema/index.js";

/** What a rule has against a config; the loader adds file, line and column. */
export interface ConfigIssue {
  severity: "error" | "warning";
  path: readonly (string | number)[];
  message: string;
  remedy: string;
  /** What doctor calls a warning; config-warning by default. */
  code?: WarningCode;
}

/** Warnings of the config with a code of their own. */
export type WarningCode = "image-not-pinned" | "library-shows-all";

/** A rule about values of a config that depend on each other. */
export type Rule = (config: ParsedConfig) => ConfigIssue | readonly ConfigIssue[] | undefined;

/** A path whose keys have no dots in their names may be written with dots between them. */
type Path = string | ConfigIssue["path"];

const issueOf =
  (severity: ConfigIssue["severity"]) =>
  (path: Path, message: string, remedy: string): ConfigIssue => ({
    severity,
    path: typeof path === "string" ? path.split(".") : path,
    message,
    remedy,
  });

export const error = issueOf("error");

/** The same, for what stops nothing. */
export const warning = issueOf("warning");
