import type { HistoryRecord } from "../history/records.js";

/** What marks a part that failed in the note of a maintenance. */
export const FAILED_PART = ": failed: ";

/** A part of a maintenance for the history, without the character that separates parts. */
export const partNote = (part: string, said: string, failed: boolean): string =>
  `${part}${failed ? FAILED_PART : ": "}${said.replaceAll(";", ",")}`;

/** What ends the note of a backup that left something out. */
export const INCOMPLETE = ", incomplete";

/**
 * When a part was last done well and whole, by itself or in a maintenance; undefined if no record says so.
 */
export const lastDone = (
  records: readonly Pick<HistoryRecord, "kind" | "at" | "note">[],
  part: "backup" | "gc",
): Date | undefined =>
  records.findLast(
    ({ kind, note }) =>
      (kind === part && !note.endsWith(INCOMPLETE)) ||
      (kind === "maintain" &&
        note
          .split("; ")
          .some(
            (said) =>
              said.startsWith(`${part}: `) &&
              !said.startsWith(part + FAILED_PART) &&
              !said.endsWith(INCOMPLETE),
          )),
  )?.at;
