import { parseReferences } from "../registry/references.js";
import type { BackupDirectory } from "./backupDirectory.js";
import { parseIndex } from "./ociLayout.js";

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
  const needed = new Set<string>();
  for (const name of kept)
    for (const { digest } of parseIndex(await directory.indexText(name)).named)
      await need(directory, digest, needed);
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

async function need(directory: BackupDirectory, digest: string, needed: Set<string>): Promise<void> {
  if (needed.has(digest)) return;
  needed.add(digest);
  const bytes = await directory.blobs.small(digest);
  const own = bytes && parseReferences(bytes);
  for (const blob of own?.blobs ?? []) needed.add(blob.digest);
  for (const child of own?.manifests ?? []) await need(directory, child, needed);
}
