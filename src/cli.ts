import { readFileSync } from "node:fs";
import { Command, CommanderError } from "@commander-js/extra-typings";
import { COMMANDS } from "./commands/allCommands.js";
import { EXIT_CODES, ExitCode } from "./errors.js";
import { PACKAGE } from "./packageFolder.js";
// Before anything is written.
import "./terminal/interruption.js";

/**
 * Parses the command line and runs the command.
 *
 * @returns the exit code
 */
export async function main(argv: readonly string[]): Promise<number> {
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

function packageVersion(): string {
  const text = readFileSync(new URL("package.json", PACKAGE), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

const exitCodeHelp = (): string =>
  [
    "",
    "Exit codes:",
    ...EXIT_CODES.map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`),
  ].join("\n");

/** The whole program; parsing runs a command. */
export function buildProgram(finish: (code: ExitCode) => void) {
  const program = new Command("hephaestus")
    .description("Your own container registry on Docker Swarm, behind Traefik and Authelia.")
    .version(packageVersion())
    .option("--debug", "print stack traces with errors")
    .addHelpText("after", exitCodeHelp)
    .showHelpAfterError("(see --help)")
    .exitOverride();
  for (const add of COMMANDS) add(program, finish);
  return program;
}
