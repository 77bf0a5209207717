import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, readdir, symlink } from "node:fs/promises";
import { dirname, join, relative, resolve } from "node:path";
import { pipeline } from "node:stream/promises";
import { extract, pack } from "tar-stream";
import { ExitCode, OperatorError } from "../errors.js";

/** A file that goes into an archive: a file of the disk, or text. */
export type Entry = { path: string; mode: number } & ({ file: string; size: number } | { text: string });

/**
 * Writes an archive. The same entries give the same bytes: there is no time and no owner in it.
 *
 * @param file which is overwritten
 */
export async function writeTar(file: string, entries: readonly Entry[]): Promise<void> {
  const archive = pack();
  const written = pipeline(archive, createWriteStream(file, { mode: 0o600 }));
  const filled = (async () => {
    for (const entry of entries) {
      const header = { name: entry.path, mode: entry.mode, mtime: new Date(0), uid: 0, gid: 0 };
      if ("text" in entry) archive.entry(header, entry.text);
      else await pipeline(createReadStream(entry.file), archive.entry({ ...header, size: entry.size }));
    }
    archive.finalize();
  })();
  filled.catch((error: Error) => archive.destroy(error));
  await Promise.all([written, filled]);
}

/**
 * Visits the files of an archive in their order.
 *
 * @param visit gets the path and the content, which it has to read to its end
 * @throws OperatorError where it is no archive, or ends too early
 */
export async function visitTar(
  file: string,
  visit: (path: string, content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  const archive = extract();
  const source = createReadStream(file);
  source.on("error", (error) => archive.destroy(error));
  source.pipe(archive);
  try {
    for await (const entry of archive) {
      if (entry.header.type === "file")
        await visit(entry.header.name, entry as unknown as AsyncIterable<Uint8Array>);
      else entry.resume();
    }
  } catch (cause) {
    if (cause instanceof OperatorError) throw cause;
    const { code, message } = cause as NodeJS.ErrnoException;
    throw new OperatorError(code === "ENOENT" ? "does not exist" : `cannot be read: ${message}`, {
      where: file,
      remedy: code === "ENOENT" ? "Check the path." : "Copy it again from where it was made.",
      exitCode: ExitCode.verify,
      cause,
    });
  }
}

/** Unpacks an archive of `docker save`: files, and links to layers that occur twice. */
export async function extractTar(file: string, folder: string): Promise<void> {
  const archive = extract();
  createReadStream(file).pipe(archive);
  for await (const entry of archive) {
    const { name, type, linkname } = entry.header;
    const to = resolve(folder, name);
    if (relative(folder, to).startsWith("..")) throw new Error(`${file} leads out of its folder: ${name}`);
    await mkdir(dirname(to), { recursive: true });
    if (type === "file") await pipeline(entry, createWriteStream(to));
    else {
      entry.resume();
      if (type === "symlink") await symlink(linkname ?? "", to);
    }
  }
}

/** The files below a folder, in the order of their names, with the mode bits that matter. */
export async function filesBelow(folder: string, under: string): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const one of await readdir(folder, { withFileTypes: true })) {
    const [from, path] = [join(folder, one.name), `${under}/${one.name}`];
    if (one.isDirectory()) entries.push(...(await filesBelow(from, path)));
    else if (one.isFile()) entries.push(await fileEntry(from, path));
  }
  return entries.sort((a, b) => (a.path < b.path ? -1 : 1));
}

export async function fileEntry(file: string, path: string): Promise<Entry> {
  const { size, mode } = await lstat(file);
  return { path, file, size, mode: mode & 0o111 ? 0o755 : 0o644 };
}
