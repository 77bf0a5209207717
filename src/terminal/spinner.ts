import { spinner } from "@clack/prompts";
import { plainReporter } from "./plain.js";
import type { Reporter } from "./reporter.js";

/** For a terminal: the running step turns, what is done stays as a line. */
export function spinnerReporter(): Reporter {
  const plain = plainReporter();
  let title = "";
  let turning: ReturnType<typeof spinner> | undefined;
  return {
    ...plain,
    begin(_id, newTitle) {
      title = newTitle;
      turning = spinner({ output: process.stderr });
      turning.start(title);
    },
    progress: (message) => turning?.message(`${title}: ${message}`),
    end(outcome, message) {
      const line = `${title}${message ? `: ${message}` : ""}`;
      if (outcome === "failed") turning?.error(line);
      else turning?.stop(outcome === "skipped" ? `${line} (skipped)` : line);
      turning = undefined;
    },
  };
}
