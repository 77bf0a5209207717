import type { ParsedConfig } from "./schema/index.js";

/** What a rule has against a config; the loader adds file, line and column. */
export interface Objection {
  severity: "error" | "warning";
  path: readonly (string | number)[];
  message: string;
  remedy: string;
}

/** A rule about values of a config that depend on each other. */
export type Rule = (config: ParsedConfig) => Objection | readonly Objection[] | undefined;

const objection =
  (severity: Objection["severity"]) =>
  (path: Objection["path"], message: string, remedy: string): Objection => ({
    severity,
    path,
    message,
    remedy,
  });

export const objectionError = objection("error");
export const objectionWarning = objection("warning");

/** @param path of the value, with dots between the keys */
export const error = (path: string, message: string, remedy: string): Objection =>
  objectionError(path.split("."), message, remedy);

/** The same, for what stops nothing. */
export const warning = (path: string, message: string, remedy: string): Objection =>
  objectionWarning(path.split("."), message, remedy);
