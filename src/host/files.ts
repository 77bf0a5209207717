import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { chmod, mkdir, mkdtemp, realpath, rename, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { ExitCode, OperatorError } from "../errors.js";
import type { RenderedFile } from "../render/renderedFile.js";

/**
 * For the `catch` of a read: a file or folder that is not there gives a value, and any other fault is an
 * error.
 *
 * @throws OperatorError that names the file
 */
export const absentAs =
  <T>(value: T) =>
  (cause: NodeJS.ErrnoException): T => {
    if (cause.code === "ENOENT") return value;
    throw new OperatorError(`cannot be read (${cause.code ?? cause.message})`, {
      where: cause.path,
      remedy: "Check its permissions and the disk that it is on.",
      exitCode: ExitCode.preflight,
      cause,
    });
  };

/** Reads text files below a folder; undefined where there is no such file. */
export function readFrom(folder: string): (path: string) => string | undefined {
  return (path) => {
    try {
      return readFileSync(join(folder, path), "utf8");
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw notWritable(join(folder, path), cause);
    }
  };
}

/**
 * Writes files below a folder, all or none: everything is written to temporary files first, then renamed.
 *
 * @param mode permissions, where they shall not be those of any new file
 * @throws OperatorError when a file cannot be written; nothing that was there has changed then
 */
export async function writeFiles(
  folder: string,
  files: readonly RenderedFile[],
  mode?: number,
): Promise<void> {
  const pending: Array<{ from: string; to: string }> = [];
  try {
    for (const { path, text } of files) {
      const to = join(folder, path);
      const from = join(dirname(to), `.${randomBytes(6).toString("hex")}.tmp`);
      await mkdir(dirname(to), { recursive: true });
      pending.push({ from, to });
      await writeFile(from, text, mode === undefined ? { flag: "wx" } : { flag: "wx", mode });
      // The umask may have taken bits away.
      if (mode !== undefined) await chmod(from, mode);
    }
    for (const { from, to } of pending) await rename(from, to);
  } catch (cause) {
    throw notWritable((cause as NodeJS.ErrnoException).path ?? folder, cause);
  } finally {
    for (const { from } of pending) await rm(from, { force: true });
  }
}

/** Works with a folder that is there meanwhile, and that nobody else can read. */
export async function withTemporaryFolder<T>(work: (folder: string) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), "hephaestus-"));
  try {
    return await work(folder);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Overwrites a file: writes a temporary file first, then renames it. Its permissions stay, and a link stays a
 * link.
 *
 * @throws OperatorError when it cannot be written; it has not changed then
 */
export async function writeInPlace(file: string, text: string): Promise<void> {
  let to: string;
  let mode: number;
  try {
    to = await realpath(file);
    mode = (await stat(to)).mode & 0o7777;
  } catch (cause) {
    throw notWritable(file, cause);
  }
  await writeFiles(dirname(to), [{ path: basename(to), text }], mode);
}

function notWritable(path: string, cause: unknown): OperatorError {
  return new OperatorError(`cannot be read or written (${(cause as NodeJS.ErrnoException).code})`, {
    where: path,
    remedy: "Check the permissions and the free space of the folder, or choose another folder.",
    exitCode: ExitCode.config,
    cause,
  });
}
