import type { Command } from "@commander-js/extra-typings";
import type { ExitCode } from "../errors.js";

/**
 * Adds one command to the program: its flags, its help with an example, and what it does.
 *
 * @param finish takes the exit code of the command
 */
export type AddCommand = (program: Command, finish: (code: ExitCode) => void) => void;
