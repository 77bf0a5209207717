import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { PROGRAM_FOLDER } from "./bundleFormat.js";
import { type Entry, fileEntry, filesBelow } from "./tarFile.js";

/** The folder of this package. */
const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** What the program is made of, beside its dependencies. Files of the package that are not there are left out. */
const PARTS = ["bin", "dist", "docs", "ops-scripts", "schema", "templates"];
const FILES = ["package.json", "README.md", "LICENSE", "CHANGELOG.md", "SECURITY.md"];

/** This very program with its dependencies, which runs with Node alone. */
export async function programEntries(): Promise<Entry[]> {
  const entries: Entry[] = [];
  for (const part of PARTS)
    if (existsSync(join(ROOT, part)))
      entries.push(...(await filesBelow(join(ROOT, part), `${PROGRAM_FOLDER}/${part}`)));
  for (const file of FILES)
    if (existsSync(join(ROOT, file)))
      entries.push(await fileEntry(join(ROOT, file), `${PROGRAM_FOLDER}/${file}`));
  const packages = new Map<string, string>();
  await collectDependencies(ROOT, PROGRAM_FOLDER, packages);
  for (const [path, folder] of packages) entries.push(...(await filesBelow(folder, path)));
  // A package holds those of its dependencies that another version of is above it: they are collected by themselves.
  const paths = new Set<string>();
  return entries.filter(({ path }) => !paths.has(path) && paths.add(path) !== undefined);
}

/**
 * Finds the packages that a package needs, as Node does.
 *
 * @param under where the package goes
 * @param packages gets folders, by the path that they go to
 */
async function collectDependencies(
  folder: string,
  under: string,
  packages: Map<string, string>,
): Promise<void> {
  const text = await readFile(join(folder, "package.json"), "utf8");
  const { dependencies = {} } = JSON.parse(text) as { dependencies?: Record<string, string> };
  for (const name of Object.keys(dependencies).sort()) {
    const found = resolvePackage(folder, name);
    if (found === undefined) continue;
    const top = `${PROGRAM_FOLDER}/node_modules/${name}`;
    const known = packages.get(top);
    const path = known === undefined || known === found ? top : `${under}/node_modules/${name}`;
    if (packages.get(path) === found) continue;
    packages.set(path, found);
    await collectDependencies(found, path, packages);
  }
}

/** The folder of a package, from the folder of one that needs it. Source: Node.js, "Modules: Packages". */
function resolvePackage(from: string, name: string): string | undefined {
  for (let folder = from; ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return found;
    if (folder === dirname(folder)) return undefined;
  }
}
