/** Which links make whole images. Pure: from what was seen of a storage, which may have changed while it was looked at. */

import type { References } from "../registry/references.js";
import type { Link } from "../storage/layout.js";

/** What was seen of a storage. */
export interface Seen {
  links: readonly Link[];
  /** Digests of the blobs that are there and whole. */
  blobs: { has(digest: string): boolean };
  /** What each manifest refers to, by digest. */
  references: ReadonlyMap<string, References>;
}

export interface Consistent {
  /** Links of which every image is whole: each blob, layer link and child manifest that one needs is there. */
  links: Link[];
  /** Images that lack what they had, as sentences. */
  damage: string[];
}

/**
 * Leaves out what is not whole. A tag whose manifest is not there was deleted meanwhile; so was a layer link whose blob is gone
 * and that no image needs. An image that is there and lacks a blob is damage. One that no tag names and that lacks only the
 * link of a child was being pushed.
 */
export function consistent({ links, blobs, references }: Seen): Consistent {
  const damage = new Set<string>();
  const ofKind = (kind: Link["kind"]) => links.filter((link) => link.kind === kind);
  const key = (repository: string, digest: string) => `${repository}@${digest}`;
  const layers = new Set(ofKind("layer").map(({ repository, digest }) => key(repository, digest)));
  const whole = new Set<string>();
  const names = new Map<string, string>();
  for (const { repository, tag, digest } of ofKind("tag"))
    names.set(key(repository, digest), `${repository}:${tag}`);
  const revisions = ofKind("revision");
  const named = reachable(revisions, references, names);
  for (const { repository, digest } of revisions) {
    const image = named.get(key(repository, digest)) ?? key(repository, digest);
    const own = references.get(digest);
    if (!blobs.has(digest)) damage.add(`${image} lacks its manifest ${digest}`);
    else if (!own) damage.add(`${image}: ${digest} is no manifest`);
    const missing = (own?.blobs ?? []).filter((blob) => !blobs.has(blob));
    for (const blob of missing) damage.add(`${image} lacks ${blob}`);
    const unlinked = (own?.blobs ?? []).filter(
      (blob) => blobs.has(blob) && !layers.has(key(repository, blob)),
    );
    for (const blob of unlinked) damage.add(`${image}: ${repository} has no link to ${blob}`);
    if (blobs.has(digest) && own && missing.length + unlinked.length === 0)
      whole.add(key(repository, digest));
  }
  // An index is whole with its manifests alone; one that is not takes the index above it along.
  for (let before = -1; before !== whole.size; ) {
    before = whole.size;
    for (const { repository, digest } of revisions) {
      if (!whole.has(key(repository, digest))) continue;
      const lost = references.get(digest)?.manifests.filter((child) => !whole.has(key(repository, child)));
      if (!lost?.length) continue;
      whole.delete(key(repository, digest));
      const image = named.get(key(repository, digest));
      if (image) for (const child of lost) damage.add(`${image} lacks the manifest ${child}`);
    }
  }
  const tags = new Set(
    ofKind("tag")
      .filter(({ repository, digest }) => whole.has(key(repository, digest)))
      .map(({ repository, tag }) => `${repository}:${tag}`),
  );
  const stays = ({ kind, repository, tag, digest }: Link): boolean => {
    if (kind === "layer") return blobs.has(digest);
    if (kind === "revision" || kind === "tag") return whole.has(key(repository, digest));
    return tags.has(`${repository}:${tag}`) && whole.has(key(repository, digest));
  };
  return { links: links.filter(stays), damage: [...damage].sort() };
}

/** The tag of each image that one names, also of an index's own manifests. */
function reachable(
  revisions: readonly Link[],
  references: ReadonlyMap<string, References>,
  names: ReadonlyMap<string, string>,
): Map<string, string> {
  const found = new Map<string, string>();
  const there = new Set(revisions.map(({ repository, digest }) => `${repository}@${digest}`));
  const open = [...names];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    const [image, name] = next;
    if (found.has(image) || !there.has(image)) continue;
    found.set(image, name);
    const at = image.lastIndexOf("@");
    for (const child of references.get(image.slice(at + 1))?.manifests ?? [])
      open.push([`${image.slice(0, at)}@${child}`, name]);
  }
  return found;
}
