import { createReadStream, createWriteStream } from "node:fs";
import { lstat, mkdir, readdir } from "node:fs/promises";
import { join, posix } from "node:path";
import { pipeline } from "node:stream/promises";
import { pack } from "tar-stream";
import { ExitCode, OperatorError } from "../errors.js";
import { tarEntries } from "../host/tarEntries.js";

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
 * @throws OperatorError where it is no archive, ends too early, or has something else than files
 */
export async function visitTar(
  file: string,
  visit: (path: string, content: AsyncIterable<Uint8Array>) => Promise<void>,
): Promise<void> {
  try {
    for await (const { name, type, content } of tarEntries(createReadStream(file))) {
      if (type !== "file") throw new Error(`${name} is no file but a ${type ?? "thing of unknown type"}`);
      await visit(name, content);
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

/**
 * Unpacks an archive of `docker save`: files, and links to layers that occur twice. Its names are no paths here: each file gets
 * a number, and no link is made.
 *
 * @param folder which is created
 * @returns the file on the disk that has a name in the archive; undefined where it has none
 * @throws Error where it cannot be read, or holds other things
 */
export async function extractTar(
  file: string,
  folder: string,
): Promise<(name: string) => string | undefined> {
  const places = new Map<string, string>();
  const links = new Map<string, string>();
  await mkdir(folder, { recursive: true });
  for await (const { name, type, target, content } of tarEntries(createReadStream(file))) {
    const path = posix.normalize(name);
    if (type === "file") {
      const place = join(folder, String(places.size));
      await pipeline(content, createWriteStream(place, { flags: "wx" }));
      places.set(path, place);
    } else if (type === "symlink" && target !== undefined) links.set(path, posix.join(path, "..", target));
    else if (type !== "directory") throw new Error(`${name} is neither a file nor a folder nor a link`);
  }
  return (name) => places.get(posix.normalize(name)) ?? places.get(links.get(posix.normalize(name)) ?? "");
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
