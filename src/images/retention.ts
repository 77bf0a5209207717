import { DAY_MILLISECONDS } from "../credentials/age.js";

/** Which tags may go. Pure: from what a repository holds, and a rule. */

export interface TaggedImage {
  tag: string;
  digest: string;
  /** Digests of an index's own manifests. */
  children: readonly string[];
  /** When it was built; undefined where nobody knows, and then it is never old. */
  created: Date | undefined;
}

export interface Rule {
  /** Whether a tag is one that may go at all. */
  matches(tag: string): boolean;
  /** The newest so many of the matching tags stay. */
  keepLast: number | undefined;
  /** Only what is older than so many days goes. */
  olderThanDays: number | undefined;
  now: Date;
}

export interface Doomed {
  digest: string;
  /** All of its tags. */
  tags: string[];
  created: Date | undefined;
}

export interface Retention {
  doomed: Doomed[];
  /** Tags that the rule would let go, and why they stay. */
  spared: Array<{ tag: string; reason: string }>;
}

/**
 * What goes. A registry deletes manifests, and with one every tag that names it: so an image goes only if the rule lets all of
 * its tags go, and if no index that stays holds it.
 */
export function planRetention(images: readonly TaggedImage[], rule: Rule): Retention {
  const matching = images.filter(({ tag }) => rule.matches(tag));
  // Whose time is not known counts as new.
  const age = ({ created }: TaggedImage) => created?.getTime() ?? Number.POSITIVE_INFINITY;
  const newest = [...matching].sort((a, b) => age(b) - age(a) || (a.tag < b.tag ? 1 : -1));
  const recent = new Set(newest.slice(0, rule.keepLast ?? 0).map(({ tag }) => tag));
  const isOld = (image: TaggedImage) =>
    rule.olderThanDays === undefined ||
    age(image) < rule.now.getTime() - rule.olderThanDays * DAY_MILLISECONDS;
  const released = new Set(
    matching.filter((image) => !recent.has(image.tag) && isOld(image)).map(({ tag }) => tag),
  );
  const spared: Retention["spared"] = [];
  // What is spared stays, and so does what it holds in turn.
  for (let reasons = reasonsToStay(images, released); reasons.length > 0; ) {
    for (const { tag } of reasons) released.delete(tag);
    spared.push(...reasons);
    reasons = reasonsToStay(images, released);
  }
  const doomed = new Map<string, Doomed>();
  for (const { tag, digest, created } of images.filter((image) => released.has(image.tag)))
    doomed.set(digest, { digest, created, tags: [...(doomed.get(digest)?.tags ?? []), tag] });
  return { doomed: [...doomed.values()], spared };
}

/** Released tags that have to stay for the sake of one that does. */
function reasonsToStay(images: readonly TaggedImage[], released: ReadonlySet<string>): Retention["spared"] {
  const staying = images.filter(({ tag }) => !released.has(tag));
  const twins = new Map(staying.map(({ tag, digest }) => [digest, tag]));
  const indexes = new Map(
    staying.flatMap(({ tag, children }) => children.map((digest) => [digest, tag] as const)),
  );
  return images
    .filter(({ tag }) => released.has(tag))
    .flatMap(({ tag, digest }) => {
      const [twin, index] = [twins.get(digest), indexes.get(digest)];
      if (twin !== undefined) return [{ tag, reason: `is the same image as ${twin}, which stays` }];
      return index === undefined ? [] : [{ tag, reason: `is part of ${index}, which stays` }];
    });
}
