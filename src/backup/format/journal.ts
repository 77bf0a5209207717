import { readFile, rm, writeFile } from "node:fs/promises";

/** Beside a backup while a run writes to it: what was complete before, so that an interrupted run damages nothing. */
export interface Journal {
  stack: string;
  /** Bytes of the file before this run; 0 of a new one. */
  completeLength: number;
}

export const journalOf = (file: string): string => `${file}.journal`;

/** @returns undefined where there is none, or none that makes sense */
export async function readJournal(file: string): Promise<Journal | undefined> {
  try {
    const { stack, completeLength } = JSON.parse(await readFile(journalOf(file), "utf8")) as Journal;
    return Number.isSafeInteger(completeLength) && typeof stack === "string"
      ? { stack, completeLength }
      : undefined;
  } catch {
    return undefined;
  }
}

export async function writeJournal(file: string, journal: Journal): Promise<void> {
  await writeFile(journalOf(file), `${JSON.stringify(journal)}\n`, { mode: 0o600, flush: true });
}

export const removeJournal = (file: string): Promise<void> => rm(journalOf(file), { force: true });
