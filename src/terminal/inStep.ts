import type { Outcome, Reporter } from "./reporter.js";

/** How a step that did not throw ended: with a message, or with another outcome than done. */
export type Ending = string | { outcome: Outcome; message: string };

/**
 * Runs work as a step of a reporter. The step ends in any case: a spinner that nobody stops keeps the process running.
 *
 * @param ending says how the step ended, from what the work returned
 * @returns what the work returned
 * @throws what the work throws
 */
export async function inStep<T>(
  reporter: Reporter,
  { id, title }: { id: string; title: string },
  work: () => Promise<T>,
  ending: (value: T) => Ending,
): Promise<T> {
  reporter.begin(id, title);
  try {
    const value = await work();
    const end = ending(value);
    if (typeof end === "string") reporter.end("done", end);
    else reporter.end(end.outcome, end.message);
    return value;
  } catch (error) {
    reporter.end("failed", error instanceof Error ? error.message : String(error));
    throw error;
  }
}
