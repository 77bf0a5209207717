import { ExitCode } from "../errors.js";

/** Who reads the outputs of this process. */
const controller = new AbortController();

// Node ends with a stack trace where nobody listens for it, in the middle of whatever runs.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", ({ code }: NodeJS.ErrnoException) => {
    controller.abort();
    // A reader such as `head` has seen enough. A full disk or a lost terminal has not.
    if (code !== "EPIPE")
      process.once("exit", (exitCode) => {
        if (exitCode === ExitCode.ok) process.exitCode = ExitCode.interrupted;
      });
  });

/**
 * Aborts when an output cannot be written any more, as where `head` has seen enough, a disk is full, or a
 * terminal is gone.
 */
export const unread: AbortSignal = controller.signal;

/** Signals of a person or a machine that wants the command to end: Ctrl-C, kill, a terminal that is gone. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * A signal that aborts when the command shall end, or nobody reads what it says any more: the first Ctrl-C
 * lets it clean up, the second one ends it at once. The listener stays in place in between, because libraries
 * that restore the cursor end a process nobody listens for.
 */
export function interruptionSignal(): AbortSignal {
  const controller = new AbortController();
  for (const signal of SIGNALS) {
    const listener = () => {
      if (controller.signal.aborted) {
        process.removeListener(signal, listener);
        process.kill(process.pid, signal);
      }
      controller.abort();
    };
    process.on(signal, listener);
  }
  return AbortSignal.any([controller.signal, unread]);
}
