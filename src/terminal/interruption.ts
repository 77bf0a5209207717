import { unread } from "./readers.js";

/** Signals of a person or a machine that wants the command to end: Ctrl-C, kill, a terminal that is gone. */
const SIGNALS = ["SIGINT", "SIGTERM", "SIGHUP"] as const;

/**
 * A signal that aborts when the command shall end, or nobody reads what it says any more: the first Ctrl-C lets it clean up, the second one ends it at once.
 * The listener stays in place in between, because libraries that restore the cursor end a process nobody listens for.
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
