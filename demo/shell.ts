/** Runs what a person would type, and shows it. */
import { execa } from "execa";
import { ExitCode, OperatorError } from "../src/errors.js";
import { CHECKOUT } from "../test/support/checkout.js";
import { STACK_FOLDER } from "./state.js";

export const heading = (text: string) => process.stdout.write(`\n==> ${text}\n`);
export const say = (text: string) => process.stdout.write(`    ${text}\n`);

export interface Settings {
  env?: Record<string, string>;
  input?: string;
  cwd?: string;
  /** Milliseconds. */
  timeout?: number;
}

export interface Outcome {
  exitCode: number;
  output: string;
  stdout: string;
}

/** Runs a command without showing it; its exit code is the caller's business. */
export async function quietly(
  command: string,
  args: readonly string[],
  settings: Settings = {},
): Promise<Outcome> {
  const { env = {}, input = "", cwd, timeout } = settings;
  const result = await execa(command, args, {
    env,
    input,
    reject: false,
    all: true,
    ...(cwd === undefined ? {} : { cwd }),
    ...(timeout === undefined ? {} : { timeout }),
  });
  return { exitCode: result.exitCode ?? 127, output: result.all ?? "", stdout: result.stdout ?? "" };
}

/**
 * Shows a command as a person would type it, runs it, and shows what it prints.
 *
 * @throws OperatorError when it fails
 */
export async function show(
  typed: string,
  command: string,
  args: readonly string[],
  settings: Settings = {},
): Promise<Outcome> {
  process.stdout.write(`  $ ${typed}\n`);
  const outcome = await quietly(command, args, settings);
  for (const line of outcome.output.split("\n").filter(Boolean)) say(line);
  if (outcome.exitCode === 0) return outcome;
  throw new OperatorError(`ended with exit code ${outcome.exitCode}`, {
    where: typed,
    remedy: "Its own words are above. Start over with: npm run demo -- --down",
    exitCode: ExitCode.rollout,
  });
}

/** Runs the built command in the folder of the demo's stack, and shows it. */
export const hephaestus = (args: readonly string[], env: Record<string, string> = {}): Promise<Outcome> =>
  show(`hephaestus ${args.join(" ")}`, process.execPath, [`${CHECKOUT}bin/hephaestus.js`, ...args], {
    cwd: STACK_FOLDER,
    env,
  });
