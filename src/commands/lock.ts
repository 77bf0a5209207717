import { ExitCode } from "../errors.js";
import { expiryOf, isDead, type LockState, lookAtLock, releaseLock } from "../swarm/lock/stackLock.js";
import { consents } from "../terminal/consent.js";
import { durationText } from "../terminal/progress.js";
import { type AddCommand, stackOptions, yesOption } from "./options.js";
import { openSession } from "./session.js";

export const addLock: AddCommand = (program, finish) => {
  const lock = stackOptions(program.command("lock"))
    .description("show which operation is working on the stack, and since when")
    .addHelpText("after", "\nExample:\n  hephaestus lock")
    .action(async (flags) => {
      const { config, docker, reporter } = await openSession(flags);
      const { stack } = config;
      const state = await lookAtLock(docker, stack);
      reporter.result({ stack, lock: state ? asData(state) : null }, [
        state ? sentence(stack, state) : `No operation is running on ${stack}.`,
      ]);
      finish(ExitCode.ok);
    });
  stackOptions(lock.command("release"))
    .description("release the lock of an operation that ended without releasing it")
    .addOption(yesOption())
    .addHelpText(
      "after",
      "\nA lock expires 75 seconds after the last heartbeat of its holder.\n\nExample:\n  hephaestus lock release --yes",
    )
    .action(async (_flags, command) => {
      const flags = command.optsWithGlobals();
      const { docker, config, reporter } = await openSession(flags);
      const { stack } = config;
      const state = flags.yes ? undefined : await lookAtLock(docker, stack);
      const mayRun = state !== undefined && !(await isDead(docker, stack, state));
      // An operation that still runs would run beside the next one until it notices that it lost the lock.
      const isMeant =
        !mayRun ||
        (await consents({
          question: `${sentence(stack, state)} Release it?`,
          where: stack,
          remedy: "Check that it has ended, then use --yes.",
          refusal: {
            message: `${state.holder} may still be working on it`,
            exitCode: ExitCode.locked,
          },
        }));
      if (isMeant) {
        const released = await releaseLock(docker, stack);
        reporter.result({ stack, released: released?.holder ?? null }, [
          released ? `Released the lock of ${released.holder}.` : `${stack} has no lock.`,
        ]);
      }
      finish(ExitCode.ok);
    });
};

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
