import { password as askPassword, cancel, confirm, isCancel, select, text } from "@clack/prompts";
import { ExitCode, OperatorError } from "../errors.js";
import { printable } from "./output.js";

/** Questions on a terminal. Ctrl-C at any of them ends the command with nothing written. */

/**
 * A terminal without a size, as of docker exec -t, gets the usual one: with no columns, each character takes
 * a line.
 */
function screen(): NodeJS.WriteStream {
  if (!process.stderr.columns) Object.assign(process.stderr, { columns: 80, rows: 24 });
  return process.stderr;
}

function withoutCancel<T>(value: T): Exclude<T, symbol> {
  if (!isCancel(value)) return value as Exclude<T, symbol>;
  cancel("Nothing was written.", { output: screen() });
  throw new OperatorError("cancelled", { exitCode: ExitCode.interrupted });
}

export interface TextQuestion {
  message: string;
  initial?: string | undefined;
  /** What is wrong with an answer, undefined when it will do. */
  fault(answer: string): string | undefined;
}

export async function askText({ message, initial, fault }: TextQuestion): Promise<string> {
  const value = await text({
    message: printable(message),
    ...(initial === undefined ? {} : { initialValue: initial }),
    validate: (answer) => fault(answer ?? ""),
    output: screen(),
  });
  return withoutCancel(value);
}

/** @param initial value of the option that is chosen at first; the first option if it is left out */
export async function askChoice(
  message: string,
  options: ReadonlyArray<{ value: string; label: string }>,
  initial?: string,
): Promise<string> {
  const shown = options.map(({ value, label }) => ({ value, label: printable(label) }));
  return withoutCancel(
    await select<string>({
      message: printable(message),
      options: shown,
      ...(initial === undefined ? {} : { initialValue: initial }),
      output: screen(),
    }),
  );
}

export async function askYes(message: string): Promise<boolean> {
  return withoutCancel(await confirm({ message: printable(message), output: screen() }));
}

/** A password that is not echoed; empty means: generate one. */
export async function askForPassword(message: string): Promise<string> {
  return withoutCancel(await askPassword({ message: printable(message), output: screen() })) ?? "";
}
