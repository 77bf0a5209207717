import { DAY_MILLISECONDS } from "../credentials/dates.js";
import type { Digest } from "../registry/digest.js";
import type { TaggedImage } from "./taggedImages.js";
import { compareTagVersions, parseVersion } from "./versions.js";

/** Which tags of a repository a rule deletes. Pure. */

export interface Rule {
  /** Whether a tag may be deleted at all. */
  matches(tag: string): boolean;
  /** Number of newest matching tags to keep. */
  keepLast: number | undefined;
  /** Only tags older than this number of days are deleted. */
  olderThanDays: number | undefined;
  now: Date;
}

interface Doomed {
  digest: Digest;
  /** All of its tags. */
  tags: string[];
  created: Date | undefined;
}

export interface Retention {
  /** In the order in which they are to be deleted: what refers to an image before the image. */
  doomed: Doomed[];
  /** Tags that the rule selects but that are kept, with the reason. */
  spared: Array<{ tag: string; reason: string }>;
}

/**
 * Plans the deletion. A registry deletes manifests, and with a manifest all of its tags. So an image is
 * deleted only if the rule selects all of its tags, and if no index that stays holds it. Referrers are kept
 * and deleted together with their image; if the subject is not in this repository, the referrer is kept.
 */
export function planRetention(images: readonly TaggedImage[], rule: Rule): Retention {
  const versions = images.filter(({ subject }) => subject === undefined);
  const matching = versions.filter(({ tag }) => rule.matches(tag));
  const recent = newest(matching, rule.keepLast ?? 0);
  const isOld = ({ created }: TaggedImage) =>
    rule.olderThanDays === undefined ||
    (created !== undefined && created.getTime() < rule.now.getTime() - rule.olderThanDays * DAY_MILLISECONDS);
  const released = new Set(
    matching.filter((image) => !recent.has(image.tag) && isOld(image)).map(({ tag }) => tag),
  );
  const spared: Retention["spared"] = [];
  // A kept image keeps what it holds.
  for (;;) {
    const following = followersOf(images, released);
    const reasons = reasonsToStay(images, new Set([...released, ...following]));
    if (reasons.length === 0) return { doomed: inOrder(images, released, following), spared };
    const own = reasons.filter(({ tag }) => released.has(tag));
    // A referrer that is held by something which stays keeps its subject.
    const kept = own.length > 0 ? own : subjectsOf(images, reasons, released);
    for (const { tag } of kept) released.delete(tag);
    spared.push(...kept);
  }
}

/**
 * The tags that are among the newest `number`, or may be: a tag is left out only if that many others are
 * surely newer.
 */
export function newest(images: readonly TaggedImage[], number: number): Set<string> {
  if (number === 0) return new Set();
  const isNewer = orderOf(images);
  const staying = images.filter((image) => images.filter((other) => isNewer(other, image)).length < number);
  return new Set(staying.map(({ tag }) => tag));
}

/**
 * When one image is surely newer than another: by their dates, and by their versions if the dates are equal
 * or unknown. A dated image and an undated one are compared by version only if the dates and the versions of
 * the dated ones agree: otherwise the comparisons could form a circle.
 */
function orderOf(images: readonly TaggedImage[]): (a: TaggedImage, b: TaggedImage) => boolean {
  const versions = new Map(images.map(({ tag }) => [tag, parseVersion(tag)]));
  const time = ({ created }: TaggedImage) => created?.getTime();
  const byVersion = (a: TaggedImage, b: TaggedImage): number => {
    const [first, second] = [versions.get(a.tag), versions.get(b.tag)];
    return first && second ? compareTagVersions(first, second) : 0;
  };
  const dated = images
    .filter((image) => image.created && versions.get(image.tag))
    .sort((a, b) => (time(a) ?? 0) - (time(b) ?? 0) || byVersion(a, b));
  const agree = dated.every((image, at) => at === 0 || byVersion(dated[at - 1] ?? image, image) <= 0);
  return (a, b) => {
    const [first, second] = [time(a), time(b)];
    if (first !== undefined && second !== undefined && first !== second) return first > second;
    const comparable = agree || (first === undefined) === (second === undefined);
    return comparable && byVersion(a, b) > 0;
  };
}

/**
 * Tags of what refers to an image of which every tag is released, and of what refers to that in turn; each
 * after its subject.
 */
function followersOf(images: readonly TaggedImage[], released: ReadonlySet<string>): Set<string> {
  /** How many images that stay are a manifest, or hold it. */
  const holders = new Map<Digest, number>();
  const referrers = new Map<Digest, TaggedImage[]>();
  for (const image of images) {
    for (const digest of [image.digest, ...image.children])
      holders.set(digest, (holders.get(digest) ?? 0) + 1);
    const { subject } = image;
    if (subject === undefined) continue;
    const about = referrers.get(subject) ?? [];
    about.push(image);
    referrers.set(subject, about);
  }
  const following = new Set<string>();
  const leaving = images.filter(({ tag }) => released.has(tag));
  // What follows is added to the list that is gone through.
  for (const { digest: own, children } of leaving)
    for (const digest of [own, ...children]) {
      const left = (holders.get(digest) ?? 0) - 1;
      holders.set(digest, left);
      const freed = left > 0 ? [] : (referrers.get(digest) ?? []);
      for (const referrer of freed.filter(({ tag }) => !released.has(tag) && !following.has(tag))) {
        following.add(referrer.tag);
        leaving.push(referrer);
      }
    }
  return following;
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

/** The released images that referrers with a reason to stay refer to. */
function subjectsOf(
  images: readonly TaggedImage[],
  reasons: Retention["spared"],
  released: ReadonlySet<string>,
): Retention["spared"] {
  const needed = new Map(
    images
      .filter(({ tag }) => reasons.some((reason) => reason.tag === tag))
      .map(({ subject, tag }) => [subject, tag]),
  );
  for (let before = -1; before !== needed.size; ) {
    before = needed.size;
    for (const { digest, children, subject } of images) {
      const held = [digest, ...children].find((of) => needed.has(of));
      if (held !== undefined && subject !== undefined && !needed.has(subject))
        needed.set(subject, needed.get(held) ?? "");
    }
  }
  return images
    .filter(
      ({ tag, digest, children }) => released.has(tag) && [digest, ...children].some((of) => needed.has(of)),
    )
    .map(({ tag, digest, children }) => {
      const referrer = [digest, ...children].map((of) => needed.get(of)).find((name) => name !== undefined);
      return { tag, reason: `is referred to by ${referrer}, which stays` };
    });
}

/**
 * One entry for each digest, referrers before what they refer to: those that follow were found after what
 * they follow.
 */
function inOrder(
  images: readonly TaggedImage[],
  released: ReadonlySet<string>,
  following: ReadonlySet<string>,
): Doomed[] {
  const known = new Map(images.map((image) => [image.tag, image]));
  const doomed = new Map<string, Doomed>();
  for (const tag of [...[...following].reverse(), ...released]) {
    const image = known.get(tag);
    if (image === undefined) continue;
    const { digest, created } = image;
    doomed.set(digest, { digest, created, tags: [...(doomed.get(digest)?.tags ?? []), tag] });
  }
  return [...doomed.values()];
}
