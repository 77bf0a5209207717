import { parseReferences, type References } from "../registry/references.js";
import type { Backup } from "./backupDirectory.js";
import { type Whole, wholeImages } from "./wholeImages.js";

/** What a backup has to be judged by, with the sizes of its files. */
export async function seenIn({ directory, index }: Pick<Backup, "directory" | "index">) {
  return {
    named: index.named,
    references: await referencesOf({ directory, index }),
    blobs: await directory.blobs.all(),
  };
}

/**
 * What a backup holds by the sizes of its files.
 *
 * @returns its images, with a sentence for each that is not whole
 */
export const contentOf = async (backup: Backup): Promise<Whole> => wholeImages(await seenIn(backup));

/** What the manifests of a backup refer to. Manifests that cannot be read are left out. */
export async function referencesOf({
  directory,
  index,
}: Pick<Backup, "directory" | "index">): Promise<Map<string, References>> {
  const references = new Map<string, References>();
  const waiting = index.named.map(({ digest }) => digest);
  for (let digest = waiting.pop(); digest !== undefined; digest = waiting.pop()) {
    if (references.has(digest)) continue;
    const bytes = await directory.blobs.small(digest);
    const own = bytes && parseReferences(bytes);
    if (own === undefined) continue;
    references.set(digest, own);
    waiting.push(...own.manifests);
  }
  return references;
}
