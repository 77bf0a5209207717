import { blobPath, type Link, linkPath } from "../storage/layout.js";
import { inGroups, type StorageReader } from "../storage/storageReader.js";
import type { ProgressMeter } from "../terminal/progress.js";
import { consistent } from "./consistency.js";
import type { Snapshot } from "./format/snapshot.js";

/** Files whose hashes are asked for at once: so many, or so many bytes. */
const GROUP = 64;
const GROUP_BYTES = 64 * 1024 * 1024;

/** The links of a storage, by path. */
export async function storedLinks(reader: StorageReader): Promise<Map<string, Link>> {
  const links = new Map<string, Link>();
  for (const pass of ["tags", "revisions", "layers"] as const)
    for (const link of (await reader.links(pass)).links) links.set(linkPath(link), link);
  return links;
}

/**
 * Proves that a storage holds all of a snapshot: every blob is read back and hashed there, and every manifest's config, layers
 * and children are there and linked.
 *
 * @returns what is wrong, as sentences
 */
export async function proveStorage(
  reader: StorageReader,
  snapshot: Snapshot,
  meter: ProgressMeter,
): Promise<string[]> {
  const [whole, faults] = [new Set<string>(), [] as string[]];
  meter.begin(snapshot.blobs.reduce((sum, { size }) => sum + size, 0));
  for (const group of inGroups(snapshot.blobs, GROUP, GROUP_BYTES)) {
    const sums = await reader.sums(group.map(({ digest }) => digest));
    for (const { digest, size } of group) {
      meter.add(size);
      const sum = sums.get(digest);
      if (sum === digest) whole.add(digest);
      else
        faults.push(
          `${digest} ${sum === undefined ? "cannot be read" : "has other bytes"} in the storage: ${blobPath(digest)}`,
        );
    }
  }
  const there = await storedLinks(reader);
  const [links, missing]: [Link[], Link[]] = [[], []];
  for (const link of snapshot.links)
    (there.get(linkPath(link))?.digest === link.digest ? links : missing).push(link);
  faults.push(...missing.map((link) => `${linkPath(link)} is not there, or names another image`));
  faults.push(...consistent({ links, blobs: whole, references: snapshot.references }).damage);
  return faults;
}
