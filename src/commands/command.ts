import type { Command } from "@commander-js/extra-typings";
import type { ExitCode } from "../errors.js";

/**
 * Adds one command to the program: its flags, its help with an example, and the action that runs. The action is imported when
 * the command runs, so that --help and --version load little more than Node itself.
 *
 * @param finish takes the exit code of the command
 */
export type AddCommand = (program: Command, finish: (code: ExitCode) => void) => void;
