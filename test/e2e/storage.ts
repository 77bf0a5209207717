/** An independent look at a registry's storage: what is in it, and what in it anything refers to. */
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";

export interface StorageWalk {
  /** Bytes of each blob, by digest. */
  blobs: Map<string, number>;
  /** Digests that a manifest with a link refers to, and those manifests themselves. */
  referred: Set<string>;
  /** Manifests with a link, as repository@digest. */
  manifests: Set<string>;
}

interface Body {
  config?: { digest: string };
  layers?: Array<{ digest: string }>;
  manifests?: Array<{ digest: string }>;
}

/** Walks the storage below `folder`, as the distribution project's storage layout has it. */
export function walkStorage(folder: string): StorageWalk {
  const root = `${folder}/docker/registry/v2`;
  const blobPath = (digest: string) => `${root}/blobs/sha256/${digest.slice(7, 9)}/${digest.slice(7)}/data`;
  const blobs = new Map<string, number>();
  for (const prefix of list(`${root}/blobs/sha256`)) {
    for (const hex of list(`${root}/blobs/sha256/${prefix}`)) {
      const digest = `sha256:${hex}`;
      if (existsSync(blobPath(digest))) blobs.set(digest, statSync(blobPath(digest)).size);
    }
  }
  const referred = new Set<string>();
  const manifests = new Set<string>();
  for (const repository of repositoriesBelow(`${root}/repositories`)) {
    const revisions = `${root}/repositories/${repository}/_manifests/revisions/sha256`;
    for (const hex of list(revisions)) {
      const digest = `sha256:${hex}`;
      if (!existsSync(`${revisions}/${hex}/link`)) continue;
      manifests.add(`${repository}@${digest}`);
      referred.add(digest);
      const body = JSON.parse(readFileSync(blobPath(digest), "utf8")) as Body;
      for (const part of [body.config, ...(body.layers ?? []), ...(body.manifests ?? [])])
        if (part) referred.add(part.digest);
    }
  }
  return { blobs, referred, manifests };
}

function* repositoriesBelow(folder: string, name = ""): Generator<string> {
  const entries = list(folder);
  if (entries.includes("_manifests")) yield name;
  for (const entry of entries.filter((entry) => !entry.startsWith("_")))
    yield* repositoriesBelow(`${folder}/${entry}`, name === "" ? entry : `${name}/${entry}`);
}

const list = (folder: string): string[] => (existsSync(folder) ? readdirSync(folder) : []);
