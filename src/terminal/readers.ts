/** Who reads the outputs of this process. */
const controller = new AbortController();

// Node ends with a stack trace where nobody listens for it, in the middle of whatever runs.
for (const stream of [process.stdout, process.stderr])
  stream.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code !== "EPIPE") throw error;
    controller.abort();
  });

/** Aborts when an output is written that nobody reads any more, as where `head` has seen enough. */
export const unread: AbortSignal = controller.signal;
