import { ExitCode } from "../errors.js";
import { runGc } from "../maintenance/runGc.js";
import { bytesText } from "../terminal/progress.js";
import { openSession, type SessionFlags } from "./session.js";

/** Seconds for the gc by default. */
export const GC_TIMEOUT_SECONDS = 3600;

export interface GcFlags extends SessionFlags {
  deleteUntagged?: boolean;
}

/** Frees the blobs that no manifest refers to. */
export async function gc(flags: GcFlags): Promise<ExitCode> {
  const session = await openSession({ ...flags, verify: false });
  const { deleteUntagged = false, dryRun = false } = flags;
  const collection = await runGc(session, { deleteUntagged, dryRun });
  const { blobs, bytes, untagged } = collection;
  const amount = bytes === undefined ? "" : `${bytesText(bytes)} in `;
  session.reporter.result({ ...collection, dryRun }, [
    ...untagged.map((name) => `${dryRun ? "would go" : "gone"}  ${name}`),
    `${dryRun ? "would free" : "freed"} ${amount}${blobs} ${blobs === 1 ? "blob" : "blobs"}`,
  ]);
  return ExitCode.ok;
}
