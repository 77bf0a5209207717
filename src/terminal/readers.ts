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

/** Aborts when an output cannot be written any more, as where `head` has seen enough, a disk is full, or a terminal is gone. */
export const unread: AbortSignal = controller.signal;
