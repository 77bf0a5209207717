/** What a rule has against a config; the loader adds file, line and column. */
export interface Objection {
  severity: "error" | "warning";
  path: readonly (string | number)[];
  message: string;
  remedy: string;
}

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
