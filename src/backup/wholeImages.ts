import type { References } from "../registry/references.js";
import type { NamedManifest } from "./ociLayout.js";

/** What there is to judge by. */
export interface Seen {
  named: readonly NamedManifest[];
  /** What each manifest that is there refers to, by digest. */
  references: ReadonlyMap<string, References>;
  /** Digests of the blobs that are there and right. */
  blobs: { has(digest: string): boolean };
}

export interface Whole {
  named: NamedManifest[];
  /** The manifests that these need, themselves included, each after those that it lists. */
  manifests: string[];
  /** The blobs that these need, each with a repository that has it. */
  blobs: Map<string, string>;
  /** What is missing, as sentences. */
  damage: string[];
}

/** How much it is. */
export const countsOf = ({ named, manifests, blobs }: Whole) => ({
  tags: named.filter(({ tag }) => tag !== undefined).length,
  images: manifests.length,
  blobs: manifests.length + blobs.size,
});

/** The bytes of its manifests and blobs, by the sizes of their files. */
export const bytesOf = ({ manifests, blobs }: Whole, sizes: ReadonlyMap<string, number>): number =>
  [...manifests, ...blobs.keys()].reduce((sum, digest) => sum + (sizes.get(digest) ?? 0), 0);

/** Leaves out images that lack a manifest or a blob. Pure. */
export function wholeImages({ named, references, blobs }: Seen): Whole {
  const lacks = new Map<string, string[]>();
  /** What a manifest lacks; one that is being looked at already lacks nothing by itself. */
  const lacking = (digest: string): string[] => {
    const known = lacks.get(digest);
    if (known) return known;
    lacks.set(digest, []);
    const own = references.get(digest);
    const missing = own
      ? [
          ...own.blobs.map((blob) => blob.digest).filter((blob) => !blobs.has(blob)),
          ...own.manifests.flatMap(lacking),
        ]
      : [digest];
    lacks.set(digest, missing);
    return missing;
  };
  const damage = named.flatMap(({ repository, tag, digest }) =>
    [...new Set(lacking(digest))].map(
      (missing) => `${repository}${tag === undefined ? `@${digest}` : `:${tag}`} lacks ${missing}`,
    ),
  );
  const whole = named.filter(({ digest }) => lacking(digest).length === 0);
  return { named: whole, ...neededBy(whole, references), damage: [...new Set(damage)].sort() };
}

/** Everything that manifests need, children first. */
function neededBy(
  named: readonly NamedManifest[],
  references: ReadonlyMap<string, References>,
): Pick<Whole, "manifests" | "blobs"> {
  const manifests = new Set<string>();
  const blobs = new Map<string, string>();
  const visited = new Set<string>();
  const visit = (digest: string, repository: string): void => {
    if (visited.has(digest)) return;
    visited.add(digest);
    const own = references.get(digest);
    for (const child of own?.manifests ?? []) visit(child, repository);
    for (const blob of own?.blobs ?? []) blobs.set(blob.digest, repository);
    manifests.add(digest);
  };
  for (const { digest, repository } of named) visit(digest, repository);
  return { manifests: [...manifests], blobs };
}
