import { collectGarbage } from "../deployment/collection.js";
import { ExitCode } from "../errors.js";
import { bytesText } from "../terminal/progress.js";
import { openSession, type SessionFlags } from "./session.js";

export interface GcFlags extends Omit<SessionFlags, "output" | "verify"> {
  deleteUntagged?: boolean;
}

/** Frees the blobs that no manifest refers to. */
export async function gc(flags: GcFlags): Promise<ExitCode> {
  const { context, cleanupDocker } = await openSession({ ...flags, verify: false });
  const { deleteUntagged = false, dryRun = false } = flags;
  const collection = await collectGarbage(context, cleanupDocker, { deleteUntagged, dryRun });
  const { blobs, untagged } = collection;
  context.reporter.result({ ...collection, dryRun }, [
    ...untagged.map((name) => `${dryRun ? "would go" : "gone"}  ${name}`),
    `${dryRun ? "would free" : "freed"} ${bytesText(collection.bytes)} in ${blobs} ${blobs === 1 ? "blob" : "blobs"}`,
  ]);
  return ExitCode.ok;
}
