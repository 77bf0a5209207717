/** What is compressed already is stored as it is. */
export const LEVELS = { stored: 0, deflated: 3 } as const;
export type Level = keyof typeof LEVELS;

/** By its first bytes: gzip (RFC 1952) and zstd (RFC 8878) get no smaller. */
export function levelFor(bytes: Buffer): Level {
  const start = bytes.subarray(0, 4).toString("hex");
  return start.startsWith("1f8b") || start === "28b52ffd" ? "stored" : "deflated";
}
