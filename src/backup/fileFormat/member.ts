import { createReadStream } from "node:fs";
import { createGunzip } from "node:zlib";
import { readAtMost } from "../../host/readAtMost.js";
import { type TarEntry, tarEntries } from "../../host/tarEntries.js";

/** Bytes of an index or a snapshot: 100 of each blob and link of a large registry. */
const LARGEST_SMALL = 512 * 1024 * 1024;

interface Range {
  offset: number;
  length: number;
}

/**
 * The entries of one gzip member, in order; each one's content has to be read before the next.
 *
 * @throws Error when the member is damaged: zlib's checksum does not fit, or it is no tar
 */
export const readMember = (file: string, { offset, length }: Range): AsyncGenerator<TarEntry> =>
  tarEntries(createReadStream(file, { start: offset, end: offset + length - 1 }), createGunzip());

/** A small file of a member; undefined where it has none of that name. */
export async function readSmall(file: string, range: Range, name: string): Promise<Buffer | undefined> {
  let found: Buffer | undefined;
  for await (const entry of readMember(file, range)) {
    if (entry.name !== name) continue;
    found = await readAtMost(entry.content, LARGEST_SMALL);
  }
  return found;
}

/** Some bytes of a file; fewer where it ends. */
export async function readRange(file: string, { offset, length }: Range): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  return readAtMost(createReadStream(file, { start: offset, end: offset + length - 1 }), length);
}
