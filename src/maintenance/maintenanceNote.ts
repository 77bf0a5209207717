/** What marks a part that failed in the note of a maintenance. */
export const FAILED_PART = ": failed: ";

/** A part of a maintenance for the history, without what separates parts. */
export const partNote = (part: string, said: string, failed: boolean): string =>
  `${part}${failed ? FAILED_PART : ": "}${said.replaceAll(";", ",")}`;
