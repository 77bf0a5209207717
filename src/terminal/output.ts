import { randomUUID } from "node:crypto";
import { Chalk } from "chalk";
import { ExitCode, OperatorError } from "../errors.js";
import { unread } from "./interruption.js";

/**
 * The one place where text reaches a terminal. Much of it comes from outside: names, requests, logs, answers
 * of other registries. What would steer a terminal is shown by its number, so that a client cannot write on
 * the operator's screen.
 */

/** Controls of C0 and C1, formats such as those that turn the direction of text, and separators of lines. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

const byNumber = (character: string): string => {
  const hex = (character.codePointAt(0) ?? 0).toString(16);
  return hex.length > 2 ? `\\u{${hex}}` : `\\x${hex.padStart(2, "0")}`;
};

/** Text that cannot steer a terminal. Line breaks and tabs stay. */
export const printable = (text: string): string =>
  text.replace(STEERING, (found) => (found === "\n" || found === "\t" ? found : byNumber(found)));

/** The same, on one line. */
export const oneLine = (text: string): string => text.replace(STEERING, byNumber);

/** Begins what stands for a colour until it is printed. Nothing from outside knows it. */
const MARK = randomUUID();
const MARKS = new RegExp(`${MARK}(\\[\\d+m)`, "g");

const COLOURS = ["red", "green", "yellow", "cyan", "bold", "dim"] as const;
export type Colour = (typeof COLOURS)[number];

const painter = new Chalk({ level: 1 });

const coloured =
  (colour: Colour) =>
  (text: string): string =>
    painter[colour](printable(text)).replaceAll("\x1b", MARK);

/** Colours for parts of a text that is printed here. */
export const colours = Object.fromEntries(COLOURS.map((name) => [name, coloured(name)])) as Record<
  Colour,
  (text: string) => string
>;

/** Without a terminal, or with NO_COLOR (no-color.org) set, there are none. */
const hasColours = (stream: NodeJS.WriteStream): boolean =>
  stream.isTTY && !process.env.NO_COLOR && stream.hasColors();

/**
 * Text as a stream gets it: made printable, with its colours where the stream has them; without a stream
 * there are none.
 */
export const shown = (text: string, stream?: NodeJS.WriteStream): string =>
  printable(text).replace(MARKS, stream && hasColours(stream) ? "\x1b$1" : "");

/** A line, or several, of a result: on standard output. */
export function print(text: string): void {
  process.stdout.write(`${shown(text, process.stdout)}\n`);
}

/** A line, or several, about what is done: on standard error. */
export function say(text: string): void {
  process.stderr.write(`${shown(text, process.stderr)}\n`);
}

/**
 * Shows a line below all others on the terminal of standard error, in the place of the one before; an empty
 * one is none.
 */
export function showBelow(line: string): void {
  const room = Math.max(0, (process.stderr.columns ?? 0) - 1);
  process.stderr.write(`\r\x1b[K${[...oneLine(line)].slice(0, room).join("")}`);
}

/** A file, byte for byte, on standard output; its text is ours, or the operator's. */
export function printFile(text: string): void {
  process.stdout.write(text);
}

/**
 * Waits until what was printed is written: for what is shown once.
 *
 * @throws OperatorError if nobody reads it any more
 */
export async function delivered(): Promise<void> {
  // A write that fails is told in an event, which comes before this callback's turn is over.
  await new Promise<void>((resolve) => process.stdout.write("", () => setImmediate(resolve)));
  if (!unread.aborted) return;
  throw new OperatorError("the new password could not be shown: nobody reads the output", {
    remedy: "Write it to a file with --password-file, or do not end the reader of the output.",
    exitCode: ExitCode.interrupted,
  });
}

/**
 * An event for a machine: one line of JSON. A terminal that shows it is not steered, and who parses it gets
 * every character.
 */
export function printJson(event: Readonly<Record<string, unknown>>): void {
  const escaped = (found: string) =>
    [...Array(found.length).keys()]
      .map((at) => `\\u${found.charCodeAt(at).toString(16).padStart(4, "0")}`)
      .join("");
  process.stdout.write(`${JSON.stringify(event).replace(MARKS, "").replace(STEERING, escaped)}\n`);
}

/** The cursor goes home, and what was below it is erased. */
export function clearScreen(): void {
  if (process.stdout.isTTY) process.stdout.write("\x1b[H\x1b[2J");
}
