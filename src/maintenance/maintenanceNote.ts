import type { HistoryRecord } from "../history/records.js";

/** What marks a part that failed in the note of a maintenance. */
export const FAILED_PART = ": failed: ";

/** A part of a maintenance for the history, without what separates parts. */
export const partNote = (part: string, said: string, failed: boolean): string =>
  `${part}${failed ? FAILED_PART : ": "}${said.replaceAll(";", ",")}`;

/** When a part was last done well, by itself or in a maintenance; undefined where no record says so. */
export const lastDone = (
  records: readonly Pick<HistoryRecord, "kind" | "at" | "note">[],
  part: "backup" | "gc",
): Date | undefined =>
  records.findLast(
    ({ kind, note }) =>
      kind === part ||
      (kind === "maintain" &&
        note
          .split("; ")
          .some((said) => said.startsWith(`${part}: `) && !said.startsWith(part + FAILED_PART))),
  )?.at;
