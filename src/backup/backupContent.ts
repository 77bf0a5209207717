import type { Digest } from "../registry/digest.js";
import { parseReferences, type References } from "../registry/references.js";
import type { Backup } from "./backupDirectory.js";
import type { BlobFiles } from "./blobFiles.js";
import type { NamedManifest } from "./ociLayout.js";
import { type Whole, wholeImages } from "./wholeImages.js";

/** What a backup has to be judged by, with the sizes of its files. */
export async function seenIn({ directory, index }: Pick<Backup, "directory" | "index">) {
  return {
    named: index.named,
    references: await referencesOf(directory.blobs, index.named),
    blobs: await directory.blobs.all(),
  };
}

/**
 * What a backup holds by the sizes of its files.
 *
 * @returns its images, with a sentence for each that is not whole
 */
export const readBackupContent = async (backup: Backup): Promise<Whole> => wholeImages(await seenIn(backup));

/** What the manifests of a backup refer to, each read once. Manifests that cannot be read are left out. */
export async function referencesOf(
  blobs: BlobFiles,
  named: readonly NamedManifest[],
): Promise<Map<Digest, References>> {
  const references = new Map<Digest, References>();
  const unreadable = new Set<Digest>();
  const waiting = named.map(({ digest }) => digest);
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (references.has(digest) || unreadable.has(digest)) continue;
    const bytes = await blobs.small(digest);
    const own = bytes && parseReferences(bytes);
    if (own === undefined) {
      unreadable.add(digest);
      continue;
    }
    references.set(digest, own);
    for (const child of own.manifests) waiting.push(child);
  }
  return references;
}
