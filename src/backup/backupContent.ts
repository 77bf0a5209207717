import type { Digest } from "../registry/digest.js";
import { parseReferences, type References } from "../registry/references.js";
import type { Backup } from "./backupDirectory.js";
import type { BlobFiles } from "./blobFiles.js";
import type { NamedManifest } from "./ociLayout.js";

/** What there is to judge by. */
export interface Seen {
  named: readonly NamedManifest[];
  /** What each manifest that is there refers to, by digest. */
  references: ReadonlyMap<Digest, References>;
  /** Digests of the blobs that are there and right. */
  blobs: { has(digest: Digest): boolean };
}

export interface Whole {
  named: NamedManifest[];
  /** The manifests that these need, themselves included, each after those that it lists. */
  manifests: Digest[];
  /** The blobs that these need, each with a repository that has it. */
  blobs: Map<Digest, string>;
  /** What is missing, as sentences. */
  damage: string[];
}

/** How much it is. */
export const countsOf = ({ named, manifests, blobs }: Whole) => ({
  tags: named.filter(({ tag }) => tag !== undefined).length,
  images: manifests.length,
  blobs: manifests.length + blobs.size,
});

/** The bytes of its manifests and blobs, by the sizes of their files. */
export const bytesOf = ({ manifests, blobs }: Whole, sizes: ReadonlyMap<Digest, number>): number =>
  [...manifests, ...blobs.keys()].reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0);

/** Leaves out images that lack a manifest or a blob. Pure. */
export function wholeImages({ named, references, blobs }: Seen): Whole {
  /** What each manifest lacks by itself. */
  const gaps = new Map<Digest, Digest[]>();
  /** Manifests that lack something, by themselves or below. */
  const torn = new Set<Digest>();
  for (const digest of below(named, references)) {
    const own = references.get(digest);
    const lacking = own ? own.blobs.map((blob) => blob.digest).filter((blob) => !blobs.has(blob)) : [digest];
    if (lacking.length > 0) gaps.set(digest, lacking);
    // Children come first.
    if (lacking.length > 0 || own?.manifests.some((child) => torn.has(child))) torn.add(digest);
  }
  const damage = named
    .filter(({ digest }) => torn.has(digest))
    .flatMap((manifest) => {
      const missing = [...below([manifest], references)].flatMap((digest) => gaps.get(digest) ?? []);
      const { repository, tag, digest } = manifest;
      const name = `${repository}${tag === undefined ? `@${digest}` : `:${tag}`}`;
      return [...new Set(missing)].map((what) => `${name} lacks ${what}`);
    });
  const whole = named.filter(({ digest }) => !torn.has(digest));
  return { named: whole, ...neededBy(whole, references), damage: [...new Set(damage)].sort() };
}

/** Everything that manifests need, children first. Pure. */
export function neededBy(
  named: readonly NamedManifest[],
  references: ReadonlyMap<Digest, References>,
): Pick<Whole, "manifests" | "blobs"> {
  const manifests: Digest[] = [];
  const blobs = new Map<Digest, string>();
  const visited = new Set<Digest>();
  for (const root of named)
    for (const digest of below([root], references, visited)) {
      manifests.push(digest);
      for (const blob of references.get(digest)?.blobs ?? []) blobs.set(blob.digest, root.repository);
    }
  return { manifests, blobs };
}

/**
 * Manifests with all that they lead to, each once and after those that it lists. A chain of them may have any
 * length.
 */
function* below(
  roots: readonly { digest: Digest }[],
  references: ReadonlyMap<Digest, References>,
  visited: Set<Digest> = new Set(),
): Generator<Digest> {
  const waiting = roots.map(({ digest }) => ({ digest, isListed: false })).reverse();
  for (let next = waiting.pop(); next !== undefined; next = waiting.pop()) {
    const { digest, isListed } = next;
    if (isListed) yield digest;
    if (visited.has(digest)) continue;
    visited.add(digest);
    waiting.push({ digest, isListed: true });
    for (const child of references.get(digest)?.manifests.toReversed() ?? [])
      if (!visited.has(child)) waiting.push({ digest: child, isListed: false });
  }
}

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
