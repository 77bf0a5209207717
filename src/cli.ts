import { existsSync } from "node:fs";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { COMMAND_GROUPS } from "./commands/allCommands.js";
import { EXIT_CODES, ExitCode } from "./errors.js";
import { CONFIG_FILE } from "./host/configFile.js";
import { VERSION } from "./render/published.js";
import { say } from "./terminal/output.js";
// Before anything is written.
import "./terminal/interruption.js";

/**
 * Parses the command line and runs the command.
 *
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
  if (argv.length === 2) {
    say(firstSteps(existsSync(CONFIG_FILE)));
    return ExitCode.usage;
  }
  let exitCode: number = ExitCode.ok;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    const json = argv.includes("--json");
    const isUsage = error instanceof CommanderError;
    if (isUsage && error.exitCode === 0) return ExitCode.ok;
    const { showError, writeErrorEvent } = await import("./terminal/showError.js");
    // Commander has shown its own errors by now.
    if (isUsage) {
      if (json)
        writeErrorEvent({
          message: error.message.replace(/^error: /, ""),
          exitCode: ExitCode.usage,
        });
      return ExitCode.usage;
    }
    return showError(error, { debug: program.opts().debug ?? false, json });
  }
  return exitCode;
}

const ABOUT = "Your own container registry on Docker Swarm, behind Traefik and Authelia.";

/** What whoever gives no command may want to do next. */
const firstSteps = (hasConfig: boolean): string =>
  [
    ABOUT,
    "",
    ...(hasConfig
      ? [
          `This folder has a ${CONFIG_FILE}. Usual next steps:`,
          "",
          "  hephaestus render && hephaestus deploy    make it run, or apply what has changed",
          "  hephaestus status                         the state of the stack",
          "  hephaestus doctor                         what is wrong, and how to fix it",
        ]
      : [
          `This folder has no ${CONFIG_FILE}. Begin with:`,
          "",
          "  hephaestus init                           write it: a few questions",
          "  hephaestus render && hephaestus deploy    make it run, on a manager of your Swarm",
          "",
          "For a trial on this machine, without Traefik, begin with:",
          "",
          "  hephaestus init --profile local",
        ]),
    "",
    "All commands: hephaestus --help",
  ].join("\n");

const HELP_OF_ONE = "hephaestus COMMAND --help explains a command and shows an example.";

const exitCodeHelp = (): string =>
  [
    "",
    "Exit codes:",
    ...EXIT_CODES.map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`),
  ].join("\n");

/** The whole program; parsing runs a command. */
export function buildProgram(finish: (code: ExitCode) => void) {
  const program = new Command("hephaestus")
    // Names alone: the arguments stand in the help of each command.
    .configureHelp({ subcommandTerm: (command) => command.name() })
    .version(VERSION)
    .option("--debug", "print stack traces with errors")
    .addHelpText("after", exitCodeHelp)
    .showHelpAfterError("(see --help)")
    .exitOverride();
  const overview = COMMAND_GROUPS.map(({ title, commands }) => {
    program.commandsGroup(`${title}:`);
    const before = program.commands.length;
    for (const add of commands) add(program, finish);
    const names = program.commands.slice(before).map((command) => command.name());
    return `  ${title.padEnd(23)}${names.join(", ")}`;
  });
  program.helpCommand("help [command]", "the same as COMMAND --help");
  return program.description([ABOUT, "", ...overview, "", HELP_OF_ONE].join("\n"));
}
