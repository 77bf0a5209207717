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
 * Removes all backups of a directory but the newest ones, and the blobs that only those had. The newest
 * complete one stays, however many newer ones left something out.
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
  const newest = names.slice(0, keep);
  const complete = await firstComplete(directory, names);
  const kept = names.filter((name) => newest.includes(name) || name === complete);
  const gone = names.filter((name) => !kept.includes(name));
  const pruned: PrunedBackups = { backups: gone, kept, blobs: 0, bytes: 0 };
  if (pruned.backups.length === 0) return pruned;
  const needed = new Set<Digest>();
  for (const name of kept) {
    const { named } = (await directory.read(name)).index;
    for (const { digest } of named) needed.add(digest);
    for (const { blobs, manifests } of (await referencesOf(directory.blobs, named)).values())
      for (const digest of [...blobs.map((blob) => blob.digest), ...manifests]) needed.add(digest);
  }
  // Backups go before blobs: a run that is killed leaves blobs that nothing needs, and the next one removes
  // them.
  if (!dryRun) for (const name of pruned.backups) await directory.remove(name);
  for (const [digest, bytes] of await directory.blobs.all()) {
    if (needed.has(digest)) continue;
    pruned.blobs++;
    pruned.bytes += bytes;
    if (!dryRun) await directory.blobs.remove(digest);
  }
  return pruned;
}

async function firstComplete(
  directory: BackupDirectory,
  names: readonly string[],
): Promise<string | undefined> {
  for (const name of names) if ((await directory.read(name)).facts?.damage.length === 0) return name;
  return undefined;
}
