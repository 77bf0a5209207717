import { jsonReporter } from "./jsonReporter.js";
import { plainReporter } from "./plainReporter.js";
import type { Reporter } from "./reporter.js";

/** Whether a user can see a spinner and answer questions. */
export const isInteractive = (): boolean =>
  process.stdin.isTTY === true && process.stderr.isTTY === true && !process.env.CI;

/** How a person or a machine wants to be told. */
export interface ReportFlags {
  json?: boolean;
  quiet?: boolean;
  /** What a dry run shows is its result, so it is never quiet. */
  dryRun?: boolean;
}

/** The reporter that fits: JSON when asked for, a spinner on a terminal, plain lines elsewhere. */
export async function chooseReporter({ json, quiet, dryRun }: ReportFlags): Promise<Reporter> {
  if (quiet && !dryRun) return quietReporter(json ? jsonReporter() : plainReporter());
  if (json) return jsonReporter();
  // A terminal without a size, as of docker exec -t, has no columns: a spinner cannot tell how many lines it
  // takes there.
  if (!process.stderr.isTTY || !process.stderr.columns || process.env.CI) return plainReporter();
  const { spinnerReporter } = await import("./spinnerReporter.js");
  return spinnerReporter();
}

/** Only what has to be heard: errors, warnings, results, and a password that is shown once. No steps. */
function quietReporter(reporter: Reporter): Reporter {
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
