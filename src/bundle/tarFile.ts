import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { extract, type Header, type Pack, pack } from "tar-stream";
import { writing } from "../backup/blobFiles.js";
import { Hashing, hexOf } from "../registry/digest.js";
import { SUMS_FILE, sumsText } from "./bundleFormat.js";

/** A file that goes into an archive: a file of the disk, or text. */
export type Entry = { path: string; mode: number } & ({ file: string; size: number } | { text: string });

/**
 * Writes an archive of files with their sums at its end. The same entries give the same bytes: there is no
 * time and no owner in it.
 *
 * @param file which is overwritten
 */
export async function writeTar(file: string, entries: readonly Entry[]): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file, { mode: 0o600 }));
  const fill = async () => {
    const sums = new Map<string, string>();
    for (const entry of entries) sums.set(entry.path, await addEntry(archive, entry));
    await addEntry(archive, { path: SUMS_FILE, mode: 0o644, text: sumsText(sums) });
    archive.finalize();
  };
  await Promise.all([written, fill().catch((error: Error) => archive.destroy(error))]);
}

/** @returns the SHA-256 of the file */
async function addEntry(archive: Pack, entry: Entry): Promise<string> {
  const isText = "text" in entry;
  const content = isText ? Readable.from([Buffer.from(entry.text)]) : createReadStream(entry.file);
  const size = isText ? Buffer.byteLength(entry.text) : entry.size;
  const header = { name: entry.path, mode: entry.mode, size, mtime: new Date(0), uid: 0, gid: 0 };
  const hashing = new Hashing();
  await pipeline(
    content,
    async function* (chunks: AsyncIterable<Uint8Array>) {
      for await (const chunk of chunks) {
        hashing.update(chunk);
        yield chunk;
      }
    },
    archive.entry(header),
  );
  return hexOf(hashing.digest());
}

/** @param path its name in the archive */
export async function fileEntry(file: string, path: string): Promise<Entry> {
  const { size, mode } = await lstat(file);
  return { path, file, size, mode: mode & 0o111 ? 0o755 : 0o644 };
}

/** What an archive has under a name, as it is read. */
export interface TarEntry {
  name: string;
  type: Header["type"];
  /** Where a link leads. */
  target: string;
  content: AsyncIterable<Uint8Array>;
}

/**
 * The entries of an archive, in order. Every fault ends the iteration, and the end of the iteration closes
 * the file.
 *
 * @throws Error if it cannot be read, is not a tar, or ends too early
 */
export async function* readTar(file: string): AsyncGenerator<TarEntry> {
  const archive = extract();
  const done = pipeline(createReadStream(file), archive);
  // It is told by `await done` below, or by the iteration.
  done.catch(() => undefined);
  for await (const entry of archive) {
    const { name, type, linkname } = entry.header;
    yield { name, type, target: linkname ?? "", content: entry as AsyncIterable<Uint8Array> };
    // Content that the caller did not read.
    entry.resume();
  }
  await done;
}

/**
 * Writes a bundle: first into a folder next to the file, then under its name. Nothing is left of one that
 * failed.
 *
 * @param collect makes the files; it may use the folder
 * @returns bytes of the bundle
 */
export async function writeBundle(
  file: string,
  collect: (folder: string) => Promise<readonly Entry[]>,
): Promise<number> {
  return writing(file, async () => {
    await mkdir(dirname(resolve(file)), { recursive: true });
    const folder = await mkdtemp(`${resolve(file)}.part-`);
    try {
      const part = `${folder}/bundle.tar`;
      await writeTar(part, await collect(folder));
      const { size } = await stat(part);
      await rename(part, file);
      return size;
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  });
}
