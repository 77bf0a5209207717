import type { Reporter } from "./reporter.js";

/** Only what has to be heard: errors, warnings, results, and a password that is shown once. No steps. */
export function quietReporter(reporter: Reporter): Reporter {
  return {
    ...reporter,
    begin() {},
    progress() {},
    end() {},
    note(level, message) {
      if (level !== "info") reporter.note(level, message);
    },
  };
}
