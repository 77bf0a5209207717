import { concurrently } from "../host/concurrently.js";
import { digestOf, isDigest } from "../registry/digest.js";
import { parseReferences } from "../registry/references.js";
import type { RawManifest, RegistryApi } from "../registry/registryApi.js";
import { UnexpectedAnswer } from "../registry/registryClient.js";

/** Requests for the manifests of one repository that run at once. */
const PARALLEL = 8;

/** What the tags of a repository hold. */
export interface RepositoryContent {
  repository: string;
  tags: string[];
  /** Bytes of each manifest, config and layer, by digest. */
  blobs: ReadonlyMap<string, number>;
  /** Manifests that the registry names and does not give. */
  unreadable: string[];
}

export interface RepositoryUsage {
  repository: string;
  tags: number;
  /** Bytes of everything that its tags hold, each blob once. */
  bytes: number;
  /** Bytes of what no other repository holds: what a deletion of all its tags frees. */
  own: number;
  /** Repositories that hold blobs of it too. */
  sharedWith: string[];
}

/**
 * Everything that a repository's tags hold. Manifests without a tag, and blobs that wait for a gc, are not
 * listed by a registry.
 *
 * @throws OperatorError when the registry does not answer
 */
export async function readRepositoryContent(
  api: RegistryApi,
  repository: string,
): Promise<RepositoryContent> {
  const tags = await api.tags(repository);
  const blobs = new Map<string, number>();
  const unreadable: string[] = [];
  const asked = new Set<string>();
  let open = tags;
  while (open.length > 0) {
    const next: string[] = [];
    await concurrently(open, PARALLEL, async (reference) => {
      const raw = await manifestOf(api, repository, reference);
      const references = raw && parseReferences(raw.bytes);
      // A registry that makes up what it gives would have no end.
      const isAnother = isDigest(reference) && digestOf(raw?.bytes ?? Buffer.of()) !== reference;
      if (raw === undefined || references === undefined || isAnother) {
        unreadable.push(reference);
        return;
      }
      blobs.set(raw.digest, raw.bytes.length);
      for (const { digest, size } of references.blobs)
        if (!blobs.has(digest)) blobs.set(digest, size ?? (await api.blobSize(repository, digest)) ?? 0);
      next.push(...references.manifests);
    });
    open = [...new Set(next)].filter((digest) => !asked.has(digest) && !blobs.has(digest));
    for (const digest of open) asked.add(digest);
  }
  return { repository, tags, blobs, unreadable };
}

/** @returns undefined where the registry does not give it: it is gone, or damaged, which is answered 500 */
async function manifestOf(
  api: RegistryApi,
  repository: string,
  reference: string,
): Promise<RawManifest | undefined> {
  try {
    return await api.rawManifest(repository, reference);
  } catch (error) {
    if (error instanceof UnexpectedAnswer && error.status >= 500) return undefined;
    throw error;
  }
}

/**
 * What each repository needs, the largest first, and all of them together. A blob that several repositories
 * hold is stored once. Pure.
 */
export function usageOf(contents: readonly RepositoryContent[]): {
  repositories: RepositoryUsage[];
  bytes: number;
} {
  const holders = new Map<string, string[]>();
  const sizes = new Map<string, number>();
  for (const { repository, blobs } of contents)
    for (const [digest, size] of blobs) {
      holders.set(digest, [...(holders.get(digest) ?? []), repository]);
      sizes.set(digest, size);
    }
  const repositories = contents.map(({ repository, tags, blobs }): RepositoryUsage => {
    const others = new Set<string>();
    let own = 0;
    for (const [digest, size] of blobs) {
      const holding = holders.get(digest) ?? [];
      if (holding.length === 1) own += size;
      for (const other of holding) if (other !== repository) others.add(other);
    }
    return { repository, tags: tags.length, bytes: sum(blobs.values()), own, sharedWith: [...others].sort() };
  });
  repositories.sort((a, b) => b.bytes - a.bytes || (a.repository < b.repository ? -1 : 1));
  return { repositories, bytes: sum(sizes.values()) };
}

function sum(values: Iterable<number>): number {
  let total = 0;
  for (const value of values) total += value;
  return total;
}
