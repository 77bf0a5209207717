import { type Command, InvalidArgumentError, Option, type OptionValues } from "@commander-js/extra-typings";
import { REPOSITORY_GLOB, TAG_GLOB } from "../access/glob.js";
import { JOB_SECONDS, ROLLOUT_SECONDS } from "../config/limits.js";
import { CALENDAR } from "../config/schema/maintenance.js";
import { isDay } from "../credentials/dates.js";
import { PASSWORD_LENGTH } from "../credentials/password.js";
import { NEVER } from "../credentials/userChanges.js";
import type { ExitCode } from "../errors.js";

/**
 * Adds one command to the program: its flags, its help with an example, and what it does.
 *
 * @param finish takes the exit code of the command
 */
export type AddCommand = (program: Command, finish: (code: ExitCode) => void) => void;

/** Options that several commands have. A flag has the same meaning in every command. */

export const configOption = () => new Option("-c, --config <file>", "config file").default("hephaestus.yaml");

export const contextOption = () =>
  new Option("--context <name>", "docker context of a manager (default: the current context)");

/** @param what is limited, and its limit unless it is said */
const timeLimitOption = (what: string, seconds: number) =>
  new Option("--timeout <seconds>", `time limit of ${what}`)
    .default(seconds)
    .argParser(wholeNumber(1, 86_400));

export const timeoutOption = () => timeLimitOption("the rollout", ROLLOUT_SECONDS);

/** Of a command that waits for a job. */
export const jobTimeoutOption = (what: string) => timeLimitOption(what, JOB_SECONDS);

export const quietOption = () => new Option("-q, --quiet", "print only errors, warnings and results");

export const jsonOption = () => new Option("--json", "print one JSON object per line");

export const dryRunOption = () => new Option("--dry-run", "show what would change, change nothing");

export const yesOption = () => new Option("-y, --yes", "do not ask for confirmation");

export const noVerifyOption = () => new Option("--no-verify", "do not test the public address");

export const resolveImageOption = () =>
  new Option("--resolve-image <when>", "when docker looks up image digests")
    .choices(["always", "changed", "never"] as const)
    .default("always" as const);

/** Folder of the rendered files. */
export const outputOption = () =>
  new Option(
    "-o, --output <folder>",
    "folder of docker-compose.yml (default: the folder of the config file)",
  );

/** How a command reports. */
export const reportOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .addOption(jsonOption())
    .addOption(quietOption())
    .addOption(
      new Option("--verbose", "print each docker command and each request to the engine").conflicts("quiet"),
    );

/** Options of every command that works on a running stack. */
export const stackOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  reportOptions(command.addOption(configOption()).addOption(contextOption()));

/** Options of every command that updates the running services. */
export const rolloutOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command.addOption(timeoutOption()).addOption(noVerifyOption()).addOption(dryRunOption());

/** Options of every command that works on the users. It needs no file of the stack. */
export const userOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  stackOptions(command).option(
    "--stack <name>",
    "name of a running stack, if you have no hephaestus.yaml of it",
  );

/** Options of every command that sets a password. */
export const passwordOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .option("--password-stdin", "read the new password from standard input (default: generate one)")
    .addOption(
      new Option("--length <characters>", "length of a generated password, 5.8 bits per character")
        .default(PASSWORD_LENGTH)
        .argParser(wholeNumber(16, 72))
        .conflicts("passwordStdin"),
    )
    .option("--password-file <file>", "write the new password to a file (mode 0600) instead of printing it");

/** When a user ends, and what the user is for. */
export const remarkOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .addOption(
      new Option(
        "--until <day>",
        "first day on which the user is refused (UTC), such as 2027-03-01, or never",
      ).argParser(futureDay),
    )
    .addOption(new Option("--note <text>", "what the user is for, in one line").argParser(noteText));

function futureDay(value: string): string {
  if (value === NEVER) return value;
  if (!isDay(value)) throw new InvalidArgumentError("Enter a day as YYYY-MM-DD, or never.");
  if (value <= new Date().toISOString().slice(0, 10))
    throw new InvalidArgumentError("That day is not in the future.");
  return value;
}

function noteText(value: string): string {
  if (/^\P{C}{0,120}$/u.test(value) && value.trim() === value) return value;
  throw new InvalidArgumentError("Enter one line of at most 120 characters.");
}

/** The user of a command at the registry. */
export const loginOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command
    .option("--user <name>", "user at the registry (default: REGISTRY_USERNAME, or credentials.username)")
    .option("--password-stdin", "read the password of that user from standard input");

/** Options of every command that edits the config file. */
export const editOptions = <A extends unknown[], O extends OptionValues>(command: Command<A, O>) =>
  command.addOption(configOption()).addOption(yesOption()).addOption(dryRunOption());

export const portOption = <const F extends string>(flags: F, description: string, value: number) =>
  new Option(flags, description).default(value).argParser(wholeNumber(1, 65_535));

/** Parses a glob for repositories, as the config has them. */
export const repositoryGlob = globOf(
  REPOSITORY_GLOB,
  "Enter segments of lower-case letters, digits and . _ - with * or **, such as: team-a/**",
);

/** Parses a glob for tags, as the config has them. */
export const tagGlob = globOf(TAG_GLOB, "Enter letters, digits and . _ - with *, such as: pr-*");

function globOf(form: RegExp, help: string): (value: string) => string {
  return (value) => {
    if (form.test(value)) return value;
    throw new InvalidArgumentError(help);
  };
}

/** Parses a time of a systemd timer. */
export function calendar(value: string): string {
  if (CALENDAR.test(value)) return value;
  throw new InvalidArgumentError("Enter a calendar event of systemd.time(7), such as: Sun 04:00");
}

/** Parses a whole number of a range. */
export function wholeNumber(least: number, most: number): (value: string) => number {
  return (value) => {
    const number = Number(value);
    if (/^\d+$/.test(value) && number >= least && number <= most) return number;
    throw new InvalidArgumentError(`Enter a whole number from ${least} to ${most}.`);
  };
}
