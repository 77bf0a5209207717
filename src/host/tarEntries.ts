import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header } from "tar-stream";

/** What an archive has under a name, as it is read. */
export interface TarEntry {
  name: string;
  size: number;
  type: Header["type"];
  /** Where a link leads. */
  target: string | undefined;
  content: AsyncIterable<Buffer>;
}

/**
 * The entries of a tar, in order. Content that the caller does not read is skipped. Every fault of a stream
 * ends the iteration, and the end of the iteration closes the streams.
 *
 * @throws Error if it cannot be read, is not a tar, or ends too early
 */
export async function* tarEntries(source: Readable): AsyncGenerator<TarEntry> {
  const archive = extract();
  const done = pipeline(source, archive);
  // It is told by `await done` below, or by the iteration.
  done.catch(() => undefined);
  for await (const entry of archive) {
    const { name, size = 0, type, linkname } = entry.header;
    yield { name, size, type, target: linkname ?? undefined, content: entry as AsyncIterable<Buffer> };
    entry.resume();
  }
  await done;
}
