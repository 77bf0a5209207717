import { ConfigError, type Finding, formatFinding } from "../config/configFindings.js";
import { interrupted } from "../docker/failures.js";
import { ExitCode, OperatorError } from "../errors.js";
import { colours, printJson, say } from "./output.js";

export interface ErrorStyle {
  /** Whether to print the stack as well. */
  debug: boolean;
  /** Whether a machine reads along. */
  json: boolean;
}

/** What a machine reads of an error. */
export interface ErrorEvent {
  message: string;
  where?: string | undefined;
  remedy?: string | undefined;
  exitCode: ExitCode;
  /** Of a config with mistakes: each with its place. */
  findings?: readonly Finding[];
}

/** The last event of a command that failed, on standard output as the others. */
export function writeErrorEvent(event: ErrorEvent): void {
  printJson({ event: "error", ...event });
}

/** Shows an error to a person on standard error, on one screen, and gives the exit code. */
export function showError(thrown: unknown, { debug, json }: ErrorStyle): ExitCode {
  // What aborts is the signal of an interruption, and it comes out of fetch, streams and timers alike.
  const error = thrown instanceof Error && thrown.name === "AbortError" ? interrupted() : thrown;
  if (json) writeErrorEvent(eventOf(error));
  if (!(error instanceof OperatorError)) {
    const message = error instanceof Error ? error.message : String(error);
    say(`${colours.red("This is a bug of hephaestus:")} ${message}`);
    say("Please report it with the command and its output with --debug.");
    if (debug && error instanceof Error) say(error.stack ?? "");
    return ExitCode.bug;
  }
  if (error instanceof ConfigError) for (const finding of error.findings) say(formatFinding(finding));
  say(`${colours.red("error:")} ${error.where ? `${error.where}: ` : ""}${error.message}`);
  if (error.remedy) say(`    ${error.remedy.split("\n").join("\n    ")}`);
  if (debug) say(error.stack ?? "");
  return error.exitCode;
}

function eventOf(error: unknown): ErrorEvent {
  if (!(error instanceof OperatorError))
    return { message: error instanceof Error ? error.message : String(error), exitCode: ExitCode.bug };
  const { message, where, remedy, exitCode } = error;
  const findings = error instanceof ConfigError ? { findings: error.findings } : {};
  return { message, where, remedy, exitCode, ...findings };
}
