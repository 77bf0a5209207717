import type { Digest } from "../registry/digest.js";
import { referencesOf } from "./backupContent.js";
import type { BackupDirectory } from "./backupDirectory.js";

/** What was removed. */
export interface PrunedBackups {
  backups: string[];
  kept: string[];
  blobs: number;
  bytes: number;
}

/**
 * Removes all backups of a directory but the newest ones, and the blobs that only those had.
 *
 * @param keep how many stay, at least 1
 * @param dryRun whether nothing is removed
 */
export async function pruneBackups(
  directory: BackupDirectory,
  keep: number,
  dryRun: boolean,
): Promise<PrunedBackups> {
  const names = await directory.backups();
  const kept = names.slice(0, keep);
  const pruned: PrunedBackups = { backups: names.slice(keep), kept, blobs: 0, bytes: 0 };
  if (pruned.backups.length === 0) return pruned;
  const needed = new Set<Digest>();
  for (const name of kept) {
    const { named } = (await directory.read(name)).index;
    for (const { digest } of named) needed.add(digest);
    for (const { blobs, manifests } of (await referencesOf(directory.blobs, named)).values())
      for (const digest of [...blobs.map((blob) => blob.digest), ...manifests]) needed.add(digest);
  }
  // Backups go before blobs: a run that is killed leaves blobs that nothing needs, and the next one removes them.
  if (!dryRun) for (const name of pruned.backups) await directory.remove(name);
  for (const [digest, bytes] of await directory.blobs.all()) {
    if (needed.has(digest)) continue;
    pruned.blobs++;
    pruned.bytes += bytes;
    if (!dryRun) await directory.blobs.remove(digest);
  }
  return pruned;
}
