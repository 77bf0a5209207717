import { blobAt } from "../../storage/layout.js";
import { Hashing, measureMember, readMember } from "./member.js";
import type { Blob, Member } from "./snapshot.js";

/**
 * What a run that was interrupted has written behind the complete part: members of whole blobs, up to the first that is torn.
 *
 * @param from where the complete part ends
 * @param size of the file
 * @returns the members, and where they end
 */
export async function keptMembers(
  file: string,
  from: number,
  size: number,
): Promise<{ members: Member[]; end: number }> {
  const members: Member[] = [];
  let end = from;
  while (end < size) {
    const length = await measureMember(file, end, size);
    const blobs = length === undefined ? undefined : await wholeBlobs(file, { offset: end, length });
    if (length === undefined || blobs === undefined) break;
    members.push({ offset: end, length, blobs });
    end += length;
  }
  return { members, end };
}

/** @returns undefined where there is something else than blobs, or one whose bytes are not what its digest says */
async function wholeBlobs(
  file: string,
  range: { offset: number; length: number },
): Promise<Blob[] | undefined> {
  const blobs: Blob[] = [];
  try {
    for await (const { name, size, content } of readMember(file, range)) {
      const digest = blobAt(name);
      const hashing = new Hashing();
      for await (const _chunk of hashing.through(content));
      if (digest === undefined || hashing.digest() !== digest) return undefined;
      blobs.push({ digest, size });
    }
  } catch {
    return undefined;
  }
  return blobs.length > 0 ? blobs : undefined;
}
