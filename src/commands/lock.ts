import { ExitCode, OperatorError } from "../errors.js";
import { expiryOf, isDead, type LockState, lookAtLock, releaseLock } from "../operation/stackLock.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { durationText } from "../terminal/progress.js";
import type { AddCommand } from "./command.js";
import { stackOptions, yesOption } from "./options.js";
import { openSession, type SessionFlags } from "./session.js";

export const addLock: AddCommand = (program, finish) => {
  const lock = stackOptions(program.command("lock"))
    .description("show which operation is working on the stack, and since when")
    .addHelpText("after", "\nExample:\n  hephaestus lock")
    .action(async (options) => finish(await lockShow(options)));
  stackOptions(lock.command("release"))
    .description("release the lock of an operation that ended without releasing it")
    .addOption(yesOption())
    .addHelpText(
      "after",
      "\nA lock expires 75 seconds after the last heartbeat of its holder.\n\nExample:\n  hephaestus lock release --yes",
    )
    .action(async (_options, command) => finish(await lockRelease(command.optsWithGlobals())));
};

/** Shows which operation works on the stack. */
async function lockShow(flags: SessionFlags): Promise<ExitCode> {
  const { config, docker, reporter } = await openSession(flags);
  const { stack } = config;
  const state = await lookAtLock(docker, stack);
  reporter.result({ stack, lock: state ? asData(state) : null }, [
    state ? sentence(stack, state) : `No operation is running on ${stack}.`,
  ]);
  return ExitCode.ok;
}

/** Releases the lock of an operation that is known to be dead. */
async function lockRelease(flags: SessionFlags & { yes?: boolean }): Promise<ExitCode> {
  const { docker, config, reporter } = await openSession(flags);
  const state = flags.yes ? undefined : await lookAtLock(docker, config.stack);
  const mayRun = state !== undefined && !(await isDead(docker, config.stack, state));
  if (mayRun && !(await isMeant(config.stack, state))) return ExitCode.ok;
  const released = await releaseLock(docker, config.stack);
  reporter.result({ stack: config.stack, released: released?.holder ?? null }, [
    released ? `Released the lock of ${released.holder}.` : `${config.stack} has no lock.`,
  ]);
  return ExitCode.ok;
}

const asData = ({ holder, host, since, silence, stale }: LockState) => ({
  holder,
  host,
  since: since.toISOString(),
  silenceSeconds: Math.round(silence),
  stale,
});

function sentence(stack: string, state: LockState): string {
  const since = state.since.toISOString().replace(/\.\d+Z$/, "Z");
  const beat = `last heartbeat ${durationText(state.silence)} ago`;
  const end = state.stale
    ? "The lock looks dead. The next command takes it over if it sees no heartbeat."
    : expiryOf(state);
  return `${state.holder} is working on ${stack} since ${since}, ${beat}.\n${end}`;
}

/** An operation that still runs would run beside the next one until it notices that it lost the lock. */
async function isMeant(stack: string, state: LockState): Promise<boolean> {
  if (!isInteractive()) {
    throw new OperatorError(`${state.holder} may still be working on it`, {
      where: stack,
      remedy: "Check that it has ended, then use --yes.",
      exitCode: ExitCode.locked,
    });
  }
  const { askYes } = await import("../terminal/prompts.js");
  return askYes(`${sentence(stack, state)} Release it?`);
}
