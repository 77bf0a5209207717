import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { concurrently } from "../registry/concurrently.js";
import { parseReferences, type References } from "../registry/references.js";
import type { RegistryApi } from "../registry/registryApi.js";
import type { ProgressMeter } from "../terminal/progress.js";
import type { Backup } from "./backupDirectory.js";
import { type Whole, wholeImages } from "./wholeImages.js";

/** Blobs that are read at once. */
const PARALLEL = 4;

/**
 * What a backup holds by the sizes of its files.
 *
 * @returns its images, with a sentence for each that is not whole
 */
export async function contentOf({ directory, index }: Backup): Promise<Whole> {
  return wholeImages({
    named: index.named,
    references: await referencesOf({ directory, index }),
    blobs: await directory.blobs.all(),
  });
}

/** What the manifests of a backup refer to. */
async function referencesOf({ directory, index }: Pick<Backup, "directory" | "index">) {
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

/** What was proved. */
export interface Proof extends Whole {
  /** Bytes that were read. */
  bytes: number;
}

/** Proves a backup by itself: every blob is read and hashed, and every manifest's config, layers and children are there. */
export async function proveBackup(backup: Backup, meter: ProgressMeter): Promise<Proof> {
  const { directory, index } = backup;
  const references = await referencesOf(backup);
  const sizes = await directory.blobs.all();
  const { manifests, blobs } = wholeImages({ named: index.named, references, blobs: sizes });
  const [right, faults] = [new Set<string>(), [] as string[]];
  const needed = [...new Set([...manifests, ...blobs.keys()])];
  meter.begin(needed.reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0));
  let bytes = 0;
  await concurrently(needed, PARALLEL, async (digest) => {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(directory.blobs.path(digest)) as AsyncIterable<Buffer>) {
      bytes += count(hash, chunk, meter);
    }
    if (`sha256:${hash.digest("hex")}` === digest) right.add(digest);
    else faults.push(`${digest} does not match its digest`);
  });
  const proof = wholeImages({ named: index.named, references, blobs: right });
  return { ...proof, damage: [...faults, ...proof.damage], bytes };
}

/**
 * Reads everything of a backup back from a registry.
 *
 * @returns what is missing or wrong there, as sentences
 */
export async function proveRegistry(
  api: RegistryApi,
  { named, blobs }: Whole,
  meter: ProgressMeter,
): Promise<string[]> {
  const faults: string[] = [];
  await concurrently(named, PARALLEL, async ({ repository, tag, digest }) => {
    const found = await api.digestOf(repository, tag ?? digest);
    if (found !== digest)
      faults.push(`${repository}:${tag ?? digest} is ${found ?? "missing"} instead of ${digest}`);
  });
  meter.begin(0);
  await concurrently(blobs, PARALLEL, async ([digest, repository]) => {
    const blob = await api.blob(repository, digest, 0);
    const hash = createHash("sha256");
    for await (const chunk of blob?.content ?? []) count(hash, chunk, meter);
    if (blob === undefined) faults.push(`${digest} is missing in ${repository}`);
    else if (`sha256:${hash.digest("hex")}` !== digest)
      faults.push(`${digest} in ${repository} has other bytes`);
  });
  return faults.sort();
}

function count(hash: Hash, chunk: Uint8Array, meter: ProgressMeter): number {
  hash.update(chunk);
  meter.add(chunk.length);
  return chunk.length;
}
