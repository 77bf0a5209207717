import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { crc32, createGunzip, createInflateRaw } from "node:zlib";
import { extract } from "tar-stream";

/** A file in the archive, as it is read. */
export interface ReadEntry {
  name: string;
  size: number;
  content: AsyncIterable<Buffer>;
}

interface Range {
  offset: number;
  length: number;
}

/**
 * The entries of one gzip member, in order; each one's content has to be read before the next.
 *
 * @throws Error when the member is damaged: zlib's checksum does not fit, or it is no tar
 */
export async function* readMember(file: string, { offset, length }: Range): AsyncGenerator<ReadEntry> {
  const entries = extract();
  const bytes = createReadStream(file, { start: offset, end: offset + length - 1 });
  const done = pipeline(bytes, createGunzip(), entries);
  // It is told by `await done` below, or by the iteration.
  done.catch(() => undefined);
  for await (const entry of entries) {
    const { name, size = 0 } = entry.header;
    yield { name, size, content: entry as AsyncIterable<Buffer> };
    entry.resume();
  }
  await done;
}

/** A small file of a member; undefined where it has none of that name. */
export async function readSmall(file: string, range: Range, name: string): Promise<Buffer | undefined> {
  let found: Buffer | undefined;
  for await (const entry of readMember(file, range)) {
    if (entry.name !== name) continue;
    found = await collect(entry.content);
  }
  return found;
}

const HEADER_LENGTH = 10;
const TRAILER_LENGTH = 8;
/** How every member that zlib writes begins: deflate, no name, no extra field. */
const HEADER = Buffer.from([0x1f, 0x8b, 8, 0]);

/**
 * Finds where a member ends that no index names, and whether it is whole.
 *
 * @param end of what there is in the file
 * @returns its length in bytes; undefined where it is torn or is no member with content
 */
export async function measureMember(file: string, offset: number, end: number): Promise<number | undefined> {
  if (end - offset < HEADER_LENGTH + TRAILER_LENGTH) return undefined;
  const header = await readRange(file, { offset, length: HEADER_LENGTH });
  if (!header.subarray(0, HEADER.length).equals(HEADER)) return undefined;
  const inflate = createInflateRaw();
  const source = createReadStream(file, { start: offset + HEADER_LENGTH, end: end - 1 });
  let [sum, size] = [0, 0];
  source.on("error", (error) => inflate.destroy(error));
  source.pipe(inflate);
  try {
    for await (const chunk of inflate as AsyncIterable<Buffer>) {
      sum = crc32(chunk, sum);
      size += chunk.length;
    }
  } catch {
    return undefined;
  } finally {
    source.destroy();
  }
  const length = HEADER_LENGTH + inflate.bytesWritten + TRAILER_LENGTH;
  if (offset + length > end) return undefined;
  const trailer = await readRange(file, {
    offset: offset + length - TRAILER_LENGTH,
    length: TRAILER_LENGTH,
  });
  const whole = trailer.readUInt32LE(0) === sum && trailer.readUInt32LE(4) === size % 2 ** 32;
  return whole ? length : undefined;
}

/** Some bytes of a file; fewer where it ends. */
export async function readRange(file: string, { offset, length }: Range): Promise<Buffer> {
  if (length <= 0) return Buffer.alloc(0);
  return collect(createReadStream(file, { start: offset, end: offset + length - 1 }));
}

/** All of it at once. */
export async function collect(content: AsyncIterable<Buffer>): Promise<Buffer> {
  const chunks: Buffer[] = [];
  for await (const chunk of content) chunks.push(chunk);
  return Buffer.concat(chunks);
}

/** Hashes what comes by. */
export class Hashing {
  private readonly hash = createHash("sha256");
  size = 0;

  async *through(content: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const chunk of content) {
      this.hash.update(chunk);
      this.size += chunk.length;
      yield chunk;
    }
  }

  /** Of what came by; once. */
  digest(): string {
    return `sha256:${this.hash.digest("hex")}`;
  }
}
