import { ExitCode, OperatorError } from "../../errors.js";
import { journalOf } from "./journal.js";

/** Turns a full disk and similar faults into errors that a user can fix. */
export async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || cause instanceof OperatorError) throw cause;
    const full = ["ENOSPC", "EDQUOT", "EFBIG"].includes(code);
    throw new OperatorError(full ? `the disk is full (${code})` : `cannot be written (${code})`, {
      where: file,
      remedy: full
        ? `Free disk space, then run the same command again: it continues where it stopped. ${journalOf(file)} keeps what was complete before.`
        : "Check the permissions of the file and its folder.",
      exitCode: ExitCode.preflight,
      cause,
    });
  }
}
