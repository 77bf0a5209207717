import { once } from "node:events";
import { pack } from "tar-stream";

/** Tar entries without the mark that ends an archive: members follow each other, and tar reads until the file ends. */

export interface Entry {
  /** Path in the archive, in ASCII. */
  name: string;
  mode: number;
  uid: number;
  gid: number;
  mtime: Date;
}

const BLOCK = 512;
/** Bytes of a name that a header takes. */
const LONGEST_NAME = 100;

/** The bytes of entries with their whole content. */
export async function packEntries(
  entries: ReadonlyArray<Entry & { content: Buffer | string }>,
): Promise<Buffer> {
  const parts: Buffer[] = [];
  for (const { content, ...entry } of entries) {
    const bytes = Buffer.from(content);
    parts.push(await entryHeader(entry, bytes.length), bytes, padding(bytes.length));
  }
  return Buffer.concat(parts);
}

/**
 * The bytes of one entry, as its content comes.
 *
 * @param size bytes of the content
 * @throws RangeError when there is more or less of it
 */
export async function* packStream(
  entry: Entry,
  size: number,
  content: AsyncIterable<Buffer>,
): AsyncGenerator<Buffer> {
  yield await entryHeader(entry, size);
  let seen = 0;
  for await (const chunk of content) {
    seen += chunk.length;
    if (seen > size) break;
    yield chunk;
  }
  if (seen !== size) throw new RangeError(`${entry.name} has not ${size} bytes`);
  yield padding(size);
}

/**
 * A header, and before it a longer name in the way that GNU tar and busybox both read (BusyBox leaves pax headers unread).
 * Source: GNU tar manual, "Basic Tar Format", typeflag L.
 */
async function entryHeader(entry: Entry, size: number): Promise<Buffer> {
  if (entry.name.length <= LONGEST_NAME) return ustarHeader(entry, size);
  const name = Buffer.from(`${entry.name}\0`, "latin1");
  const long = await ustarHeader({ ...entry, name: "././@LongLink" }, name.length);
  long.write("L", 156, "latin1");
  long.fill(" ", 148, 156);
  const sum = long.reduce((total, byte) => total + byte, 0);
  long.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148, "latin1");
  const short = await ustarHeader({ ...entry, name: entry.name.slice(0, LONGEST_NAME) }, size);
  return Buffer.concat([long, name, padding(name.length), short]);
}

async function ustarHeader(entry: Entry, size: number): Promise<Buffer> {
  const packer = pack();
  // Nothing is written to it: only its header is wanted.
  packer.entry({ ...entry, size, type: "file" }).on("error", () => undefined);
  const [header] = (await once(packer, "data")) as [Buffer];
  packer.destroy();
  return Buffer.from(header);
}

const padding = (size: number): Buffer => Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
