import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { pipeline } from "node:stream/promises";
import { createGunzip } from "node:zlib";
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
