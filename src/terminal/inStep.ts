import type { Outcome, Reporter } from "./reporter.js";

/** How a step that did not throw ended: with a message, or with another outcome than done. */
export type Ending = string | { outcome: Outcome; message: string };

/** The ending of a step that has nothing to do. */
export const skipped = (reason: string): Ending => ({ outcome: "skipped", message: reason });

/** The name of a step for machines, and for people. */
interface Title {
  id: string;
  title: string;
}

/**
 * Runs work as a step of a reporter. The step ends in any case: a spinner that nobody stops keeps the process
 * running.
 *
 * @param ending says how the step ended, from what the work returned; without it, the work itself returns
 * that
 * @returns what the work returned
 * @throws what the work throws
 */
export async function inStep<T extends Ending>(
  reporter: Reporter,
  title: Title,
  work: () => Promise<T>,
): Promise<T>;
export async function inStep<T>(
  reporter: Reporter,
  title: Title,
  work: () => Promise<T>,
  ending: (value: T) => Ending,
): Promise<T>;
export async function inStep<T>(
  reporter: Reporter,
  { id, title }: Title,
  work: () => Promise<T>,
  ending: (value: T) => Ending = (value) => value as Ending,
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
