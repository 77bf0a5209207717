import { readdir } from "node:fs/promises";
import { join, sep } from "node:path";
import { absentAs } from "../host/files.js";
import { thisProgram } from "../host/thisProgram.js";
import { PROGRAM_FILE, PROGRAM_FOLDER } from "./bundleFormat.js";
import { type Entry, fileEntry } from "./tarFile.js";

/** What the package is made of. Its program needs no other package. */
const FOLDERS = ["bin", "dist", "docs", "ops-scripts", "schema", "templates"];
const FILES = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/**
 * This very program: the program file, or the package, which runs with Node alone. Files of the package that
 * are not there are left out.
 */
export async function programEntries(): Promise<Entry[]> {
  const { isFile, path: root } = thisProgram();
  if (isFile) return [await fileEntry(root, PROGRAM_FILE)];
  const below = async (folder: string) => {
    const options = { recursive: true, withFileTypes: true } as const;
    const entries = await readdir(join(root, folder), options).catch(absentAs([]));
    return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  };
  const top = (await readdir(root)).filter((name) => FILES.includes(name)).map((name) => join(root, name));
  const files = [...top, ...(await Promise.all(FOLDERS.map(below))).flat()].sort();
  return Promise.all(
    files.map((file) => fileEntry(file, `${PROGRAM_FOLDER}/${file.slice(root.length).replaceAll(sep, "/")}`)),
  );
}
