import { ConfigError, formatFinding } from "../config/findings.js";
import { ExitCode, OperatorError } from "../errors.js";
import { coloursFor } from "./colours.js";

/**
 * Shows an error to a person on standard error, on one screen, and gives the exit code.
 *
 * @param debug whether to print the stack as well
 */
export function showError(error: unknown, debug: boolean): ExitCode {
  const colours = coloursFor(process.stderr);
  const say = (line: string) => process.stderr.write(`${line}\n`);
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
