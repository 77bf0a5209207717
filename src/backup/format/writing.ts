import { ExitCode, OperatorError } from "../../errors.js";
import { journalOf } from "./journal.js";

/** Tells a full disk and its like as what a person can mend. */
export async function writing<T>(file: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    const { code } = cause as NodeJS.ErrnoException;
    if (code === undefined || cause instanceof OperatorError) throw cause;
    const full = ["ENOSPC", "EDQUOT", "EFBIG"].includes(code);
    throw new OperatorError(full ? `there is no room for it (${code})` : `cannot be written (${code})`, {
      where: file,
      remedy: full
        ? `Make room, then run the same command again: it goes on where it stopped. ${journalOf(file)} keeps what was complete before.`
        : "Check the permissions of the file and its folder.",
      exitCode: ExitCode.preflight,
      cause,
    });
  }
}
