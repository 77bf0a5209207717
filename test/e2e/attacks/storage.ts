import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";

/**
 * Every file and folder below a folder, files with their hashes. Two listings are equal if nothing was written, changed
 * or deleted between them.
 */
export async function listing(folder: string): Promise<string[]> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const lines = entries.map(async (entry) => {
    const path = `${entry.parentPath}/${entry.name}`;
    const name = path.slice(folder.length + 1);
    if (!entry.isFile()) return `${name}/`;
    return `${name} ${createHash("sha256")
      .update(await readFile(path))
      .digest("hex")}`;
  });
  return (await Promise.all(lines)).sort();
}

/** The listing's entries of uploads that were begun: folders below `_uploads`. */
export const uploadsIn = (lines: readonly string[]): string[] =>
  lines.filter((line) => /\/_uploads\/./.test(line));
