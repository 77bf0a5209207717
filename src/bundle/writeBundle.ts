import { mkdir, mkdtemp, rename, rm, stat } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { writing } from "../backup/blobFiles.js";
import { type Entry, writeTar } from "./tarFile.js";

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
