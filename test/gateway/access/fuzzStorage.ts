/** What a storage holds before and after requests, so that it shows what they changed. */
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

/** The files of a storage: their content by their path, for each repository; what belongs to none is below "". */
export type Contents = ReadonlyMap<string, ReadonlyMap<string, string>>;

const REPOSITORY_FILE = /^docker\/registry\/v2\/repositories\/(.+?)\/(_manifests|_layers|_uploads)\/(.+)$/;
const BLOBS = "docker/registry/v2/blobs/";

export function contents(storage: string): Contents {
  const found = new Map<string, Map<string, string>>();
  for (const name of readdirSync(storage, { recursive: true, encoding: "utf8" })) {
    const path = join(storage, name);
    const status = statSync(path, { throwIfNoEntry: false });
    if (!status?.isFile()) continue;
    const [, repository = "", place = "", rest = ""] = REPOSITORY_FILE.exec(name) ?? [];
    const files = found.get(repository) ?? new Map<string, string>();
    found.set(repository, files);
    if (place === "_uploads") files.set(`_uploads/${rest}`, `${status.size}`);
    else if (name.startsWith(BLOBS)) files.set(name, `${status.size} ${status.mtimeMs}`);
    else files.set(place === "" ? name : `${place}/${rest}`, readFileSync(path, "utf8"));
  }
  return found;
}

/** What became of the files of a repository. An upload may end at any time. */
export interface Change {
  repository: string;
  /** Files that are new or have another content. */
  written: string[];
  gone: string[];
}

/** Blobs that nothing refers to may be added: they are what an upload brought. */
export function changes(before: Contents, after: Contents): Change[] {
  return [...new Set([...before.keys(), ...after.keys()])]
    .map((repository) => {
      const old = before.get(repository) ?? new Map<string, string>();
      const now = after.get(repository) ?? new Map<string, string>();
      return {
        repository,
        written: [...now.keys()].filter(
          (name) => now.get(name) !== old.get(name) && !(name.startsWith(BLOBS) && !old.has(name)),
        ),
        gone: [...old.keys()].filter((name) => !now.has(name) && !name.startsWith("_uploads/")),
      };
    })
    .filter(({ written, gone }) => written.length + gone.length > 0);
}

/** The repositories that hold each digest, as a layer or a manifest. */
export function holders(found: Contents): ReadonlyMap<string, ReadonlySet<string>> {
  const by = new Map<string, Set<string>>();
  for (const [repository, files] of found)
    for (const name of files.keys()) {
      const hex = /^(?:_layers|_manifests\/revisions)\/sha256\/([0-9a-f]{64})\/link$/.exec(name)?.[1];
      if (hex !== undefined) by.set(hex, (by.get(hex) ?? new Set<string>()).add(repository));
    }
  return by;
}
