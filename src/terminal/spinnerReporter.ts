import ora, { type Ora } from "ora";
import { shown } from "./output.js";
import { plainReporter } from "./plainReporter.js";
import type { Reporter } from "./reporter.js";

/**
 * For a terminal: the running step turns, what is done stays as a line. Standard input is left alone, so that Ctrl-C
 * reaches the command as a signal and it can clean up.
 */
export function spinnerReporter(): Reporter {
  const plain = plainReporter();
  let title = "";
  let turning: Ora | undefined;
  /** Lines between steps go above the spinner. */
  const above = (print: () => void) => {
    turning?.clear();
    print();
    turning?.render();
  };
  return {
    ...plain,
    begin(_id, newTitle) {
      title = newTitle;
      turning = ora({ text: shown(title), stream: process.stderr, discardStdin: false }).start();
    },
    progress(message) {
      if (turning) turning.text = shown(`${title}: ${message}`);
    },
    end(outcome, message) {
      const line = shown(`${title}${message && outcome !== "failed" ? `: ${message}` : ""}`, process.stderr);
      if (outcome === "failed") turning?.fail(line);
      else if (outcome === "skipped") turning?.info(`${line} (skipped)`);
      else turning?.succeed(line);
      turning = undefined;
    },
    note: (level, message) => above(() => plain.note(level, message)),
  };
}
