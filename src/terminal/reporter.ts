/** What a step can end as. */
export type Outcome = "done" | "skipped" | "failed";

/**
 * The edge to the person (or machine) who watches. Steps run one after the other; `progress` belongs to the
 * one that began last. Nothing that goes through here may be a secret, except `password`.
 */
export interface Reporter {
  begin(id: string, title: string): void;
  progress(message: string): void;
  end(outcome: Outcome, message: string): void;
  /** A remark between steps: a warning, a list of findings. */
  note(level: "info" | "warning" | "error", message: string): void;
  /** The result, for people as lines, for machines as data. */
  result(data: Readonly<Record<string, unknown>>, lines: readonly string[]): void;
  /** A generated password, shown once, on standard output. @throws OperatorError if nobody reads it */
  password(user: string, password: string): Promise<void>;
}
