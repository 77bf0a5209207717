import { mkdir, mkdtemp, rename, rm } from "node:fs/promises";
import { dirname } from "node:path";

/**
 * Makes a file or a folder of the cache aside and renames it when it is complete, so that a broken one is never taken
 * for the whole. If another process was first, its one stays.
 *
 * @param cacheDir an absolute path on the file system of `target`
 * @param make gets an empty folder, and returns the path of what it made: that folder, or something in it
 */
export async function madeAside(
  cacheDir: string,
  target: string,
  make: (folder: string) => Promise<string>,
): Promise<void> {
  await mkdir(dirname(target), { recursive: true });
  const partial = await mkdtemp(`${cacheDir}/partial-`);
  try {
    await rename(await make(partial), target).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== "ENOTEMPTY" && error.code !== "EEXIST") throw error;
    });
  } finally {
    await rm(partial, { recursive: true, force: true });
  }
}
