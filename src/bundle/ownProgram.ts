import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { PACKAGE } from "../packageFolder.js";
import { PROGRAM_FOLDER } from "./bundleFormat.js";
import { type Entry, fileEntry, filesBelow } from "./tarFile.js";

/** What the package is made of. Its program needs no other package. */
const PARTS = ["bin", "dist", "docs", "ops-scripts", "schema", "templates"];
const FILES = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** This very program, which runs with Node alone. Files of the package that are not there are left out. */
export async function programEntries(): Promise<Entry[]> {
  const place = (name: string): [string, string] => [
    fileURLToPath(new URL(name, PACKAGE)),
    `${PROGRAM_FOLDER}/${name}`,
  ];
  const isThere = (name: string) => existsSync(new URL(name, PACKAGE));
  const folders = await Promise.all(PARTS.filter(isThere).map((name) => filesBelow(...place(name))));
  const files = await Promise.all(FILES.filter(isThere).map((name) => fileEntry(...place(name))));
  return [...folders.flat(), ...files];
}
