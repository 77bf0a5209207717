import { expect, test } from "vitest";
import { planRetention, type Rule } from "../../src/maintenance/retention.js";
import { subjectOfTag, type TaggedImage } from "../../src/maintenance/taggedImages.js";
import { compareTagVersions, parseVersion } from "../../src/maintenance/versions.js";
import type { Digest } from "../../src/registry/digest.js";
import { buildDate } from "../../src/registry/registryApi.js";
import fc from "../support/properties.js";

const now = new Date("2026-11-24T12:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
/** Short names stand for digests: what is judged here is whether they are the same. */
const named = (name: string) => name as Digest;
const image = (
  tag: string,
  digest: string,
  age: number | undefined,
  children: string[] = [],
): TaggedImage => ({
  tag,
  digest: named(digest),
  children: children.map(named),
  created: age === undefined ? undefined : daysAgo(age),
});
const rule = (changes: Partial<Rule>): Rule => ({
  matches: () => true,
  keepLast: undefined,
  olderThanDays: undefined,
  now,
  ...changes,
});
const going = (images: TaggedImage[], changes: Partial<Rule>) =>
  planRetention(images, rule(changes)).doomed.flatMap(({ tags }) => tags);

test("the newest stay, by when they were built", () => {
  const images = [image("a", "1", 3), image("b", "2", 1), image("c", "3", 2)];
  expect(going(images, { keepLast: 1 })).toEqual(["a", "c"]);
  expect(going(images, { keepLast: 3 })).toEqual([]);
});

test("only what is older goes, and what nobody knows the age of is not", () => {
  const images = [image("a", "1", 31), image("b", "2", 30), image("c", "3", undefined)];
  expect(going(images, { olderThanDays: 30 })).toEqual(["a"]);
  // What cannot be ordered takes nobody's place.
  expect(going(images, { olderThanDays: 0, keepLast: 1 })).toEqual(["a"]);
});

test("only matching tags go, and count", () => {
  const images = [image("v1", "1", 9), image("pr-1", "2", 3), image("pr-2", "3", 2)];
  expect(going(images, { keepLast: 1, matches: (tag) => tag.startsWith("pr-") })).toEqual(["pr-1"]);
});

test("an image that stays under another tag, or in an index, stays under all", () => {
  const images = [
    image("latest", "1", 40),
    image("pr-1", "1", 40),
    image("pr-2", "amd64", 40),
    image("multi", "2", 40, ["amd64", "arm64"]),
    image("pr-3", "3", 40),
    image("pr-4", "3", 40),
  ];
  const plan = planRetention(images, rule({ olderThanDays: 1, matches: (tag) => tag.startsWith("pr-") }));
  expect(plan.doomed).toEqual([{ digest: "3", tags: ["pr-3", "pr-4"], created: daysAgo(40) }]);
  expect(plan.spared).toEqual([
    { tag: "pr-1", reason: "is the same image as latest, which stays" },
    { tag: "pr-2", reason: "is part of multi, which stays" },
  ]);
});

test("deleting what goes takes nothing else with it, whatever the images and the rule", () => {
  const digest = fc.constantFrom("1", "2", "3", "4", "5").map(named);
  const images = fc.uniqueArray(
    fc.record({
      tag: fc.stringMatching(/^[ab][0-9]$/),
      digest,
      children: fc.array(digest, { maxLength: 2 }),
      created: fc.option(fc.integer({ min: 0, max: 90 }).map(daysAgo), { nil: undefined }),
    }),
    { selector: ({ tag }) => tag, maxLength: 8 },
  );
  const changes = fc.record({
    keepLast: fc.option(fc.nat(5), { nil: undefined }),
    olderThanDays: fc.option(fc.nat(90), { nil: undefined }),
    matches: fc.constantFrom(
      () => true,
      (tag: string) => tag.startsWith("a"),
    ),
  });
  fc.assert(
    fc.property(images, changes, (all, change) => {
      const { doomed, spared } = planRetention(all, rule(change));
      const gone = new Set(doomed.map((each) => each.digest));
      const tags = new Set(doomed.flatMap((each) => each.tags));
      // Every tag of a deleted manifest was meant to go, matches, and none that stays needs it.
      for (const each of all) {
        expect(gone.has(each.digest)).toBe(tags.has(each.tag));
        if (tags.has(each.tag)) expect(change.matches(each.tag)).toBe(true);
        else for (const child of each.children) expect(gone.has(child)).toBe(false);
      }
      const kept = all.filter(({ tag }) => change.matches(tag) && !tags.has(tag)).length;
      const matching = all.filter(({ tag }) => change.matches(tag)).length;
      expect(kept).toBeGreaterThanOrEqual(Math.min(change.keepLast ?? 0, matching));
      for (const { tag } of spared) expect(tags.has(tag)).toBe(false);
    }),
    { numRuns: 2000 },
  );
});

const hex = (character: string) => character.repeat(64);
const referrer = (
  tag: string,
  digest: string,
  subject: string | undefined = subjectOfTag(tag),
): TaggedImage => ({
  ...image(tag, digest, undefined),
  subject: subject === undefined ? undefined : named(subject),
});

test("a date before the first registry is no date, and never old", () => {
  for (const date of [
    "1970-01-01T00:00:00Z",
    "1980-01-01T00:00:01Z",
    "0001-01-01T00:00:00Z",
    "",
    undefined,
    7,
  ])
    expect(buildDate(date)).toBeUndefined();
  expect(buildDate("2013-03-20T10:00:00Z")).toEqual(new Date("2013-03-20T10:00:00Z"));
});

test("signatures, attestations and SBOMs stay with their image, go with it, and are no versions", () => {
  const digest = `sha256:${hex("d")}`;
  const names = [".sig", ".att", ".sbom", ""].map((suffix) => `sha256-${hex("d")}${suffix}`);
  const all = [image("app", digest, 1), ...names.map((name, index) => referrer(name, `r${index}`))];
  expect(going(all, { olderThanDays: 30 })).toEqual([]);
  expect(going(all, { keepLast: 1 })).toEqual([]);
  // Referrers are deleted first: a run that is interrupted leaves no signature without its image.
  const inOrder = [...[...names].reverse(), "app"];
  expect(going(all, { keepLast: 0 })).toEqual(inOrder);
  expect(going(all, { keepLast: 0, matches: (tag) => tag === "app" })).toEqual(inOrder);
  expect(going(all, { keepLast: 0, matches: (tag) => tag !== "app" })).toEqual([]);
});

test("what refers to a platform of an index, or to a referrer, follows too; what refers to something elsewhere stays", () => {
  const amd64 = `sha256:${hex("a")}`;
  const all = [
    image("multi", "m", 40, [amd64]),
    referrer(`sha256-${hex("a")}.sig`, "s"),
    referrer("countersigned", "c", "s"),
    referrer(`sha256-${hex("e")}.sig`, "elsewhere"),
  ];
  expect(going(all, { olderThanDays: 30 })).toEqual(["countersigned", `sha256-${hex("a")}.sig`, "multi"]);
  expect(going(all, { olderThanDays: 50 })).toEqual([]);
});

test("an image is kept by what refers to it and stays", () => {
  const all = [image("app", "a", 40), referrer("sbom", "s", "a"), image("pinned", "p", 40, ["s"])];
  const plan = planRetention(all, rule({ olderThanDays: 1, matches: (tag) => tag === "app" }));
  expect(plan.doomed).toEqual([]);
  expect(plan.spared).toEqual([{ tag: "app", reason: "is referred to by sbom, which stays" }]);
});

test("an image is kept by a referrer that stays, though its subject is only part of another referrer", () => {
  const all = [
    image("app", "a", 40),
    referrer("sboms", "s", "a"),
    referrer("signature", "g", "part"),
    image("pinned", "p", 1, ["g"]),
  ].map((each) => (each.tag === "sboms" ? { ...each, children: [named("part")] } : each));
  const plan = planRetention(all, rule({ olderThanDays: 30 }));
  expect(plan.doomed).toEqual([]);
  expect(plan.spared).toEqual([{ tag: "app", reason: "is referred to by signature, which stays" }]);
});

test("undated signatures do not push versions out of those that are kept", () => {
  const versions = [1, 2, 3, 4, 5, 6].map((number) => image(`v${number}`, `v${number}`, 10 - number));
  const others = ["1", "2", "3", "4", "5"].map((digit) => referrer(`sha256-${hex(digit)}`, `r${digit}`));
  expect(going([...versions, ...others], { keepLast: 5 })).toEqual(["v1"]);
});

test("where dates are equal or unknown, versions decide by their numbers", () => {
  const charts = [image("1.9.0", "a", undefined), image("1.10.0", "b", undefined)];
  expect(going(charts, { keepLast: 1 })).toEqual(["1.9.0"]);
  const sameDay = [image("v2.0.0-rc.1", "a", 3), image("v2.0.0", "b", 3), image("v1.99", "c", 3)];
  expect(going(sameDay, { keepLast: 1 })).toEqual(["v2.0.0-rc.1", "v1.99"]);
  // What cannot be ordered stays.
  expect(going([...charts, image("latest", "c", undefined)], { keepLast: 1 })).toEqual(["1.9.0"]);
});

test("an undated version counts among dated ones where their dates and versions agree", () => {
  const undated = image("v1.2", "c", undefined);
  const inOrder = [image("v1.0", "a", 3), image("v1.1", "b", 2), undated];
  expect(going(inOrder, { keepLast: 1 })).toEqual(["v1.0", "v1.1"]);
  const sameDay = [image("v1.1", "b", 3), image("v1.0", "a", 3), undated];
  expect(going(sameDay, { keepLast: 1 })).toEqual(["v1.1", "v1.0"]);
  const twoNames = [image("1.0", "a", 3), image("v1.0", "b", 3), undated];
  expect(going(twoNames, { keepLast: 1 })).toEqual(["1.0", "v1.0"]);
  // The older version was built later: whether v1.2 is newer than it nobody knows, and so both stay.
  const patched = [image("v1.0", "a", 1), image("v1.1", "b", 3), undated];
  expect(going(patched, { keepLast: 1 })).toEqual(["v1.1"]);
});

test("versions are compared by numbers, a pre-release before its release", () => {
  const order = [
    "0.9",
    "1.0.0-alpha",
    "1.0.0-alpha.2",
    "1.0.0-alpha.10",
    "1.0.0-alpha.beta",
    "1.0.0-rc",
    "v1",
    "1.0.1",
    "1.10",
    "2026.11.24",
  ];
  for (const [at, one] of order.entries())
    for (const [other, tag] of order.entries()) {
      const [first, second] = [parseVersion(one), parseVersion(tag)];
      expect(first && second && Math.sign(compareTagVersions(first, second)), `${one} ${tag}`).toBe(
        Math.sign(at - other),
      );
    }
  expect(parseVersion("latest")).toBeUndefined();
  expect(parseVersion("1.2.3_build.7")).toEqual({ numbers: [1, 2, 3], preRelease: [] });
});

/** Repositories with dated and undated versions, names that are no versions, indexes and referrers. */
const mixed = fc
  .array(
    fc.record({
      name: fc.oneof(
        fc.tuple(fc.nat(3), fc.nat(3)).map(([major, minor]) => `v${major}.${minor}`),
        fc.constantFrom("latest", "edge", "pr-1", "pr-2"),
      ),
      age: fc.option(fc.nat(100), { nil: undefined }),
      digest: fc.nat(8).map(String),
      children: fc.array(fc.nat(8).map(String), { maxLength: 2 }),
      subject: fc.option(fc.nat(12).map(String).map(named), { nil: undefined, freq: 3 }),
    }),
    { maxLength: 12 },
  )
  .map((drawn) => {
    const images = new Map<string, TaggedImage>();
    for (const { name, age, digest, children, subject } of drawn) {
      const tag = subject === undefined ? name : `ref-${name}`;
      const twin = [...images.values()].find((other) => other.digest === digest);
      // One manifest has one content, whatever its tags.
      images.set(tag, twin ? { ...twin, tag } : { ...image(tag, digest, age, children), subject });
    }
    return [...images.values()];
  });

test("whatever a repository holds, nothing that stays loses what it needs, and enough versions stay", () => {
  fc.assert(
    fc.property(
      mixed,
      fc.nat(4),
      fc.option(fc.nat(60), { nil: undefined }),
      (images, keepLast, olderThanDays) => {
        const { doomed } = planRetention(images, rule({ keepLast, olderThanDays }));
        const gone = new Set(doomed.map(({ digest }) => digest));
        const staying = images.filter(({ digest }) => !gone.has(digest));
        for (const { children, digest } of staying) {
          for (const child of children) expect(gone.has(child), `${digest} holds ${child}`).toBe(false);
        }
        const versions = images.filter(({ subject }) => subject === undefined);
        const kept = versions.filter(({ digest }) => !gone.has(digest));
        expect(kept.length).toBeGreaterThanOrEqual(Math.min(keepLast, versions.length));
        for (const { created, tag } of versions.filter(({ digest }) => gone.has(digest))) {
          if (olderThanDays !== undefined) expect(created, tag).toBeDefined();
        }
        // A referrer goes exactly where what it refers to goes.
        const there = new Set(staying.flatMap(({ digest, children }) => [digest, ...children]));
        for (const { subject, digest, tag } of images) {
          if (subject === undefined) continue;
          const subjectGoes =
            images.some(
              (other) => gone.has(other.digest) && [other.digest, ...other.children].includes(subject),
            ) && !there.has(subject);
          expect(gone.has(digest), tag).toBe(subjectGoes);
        }
      },
    ),
    { numRuns: 2000 },
  );
});

test("a long chain of referrers is judged at once, and goes from its end", () => {
  const length = 2000;
  const all = [
    image("app", "0", 40),
    ...Array.from({ length }, (_, number) => referrer(`r${number + 1}`, String(number + 1), String(number))),
  ];
  const tags = going(all, { olderThanDays: 30 });
  expect(tags).toHaveLength(length + 1);
  expect([tags[0], tags.at(-1)]).toEqual([`r${length}`, "app"]);
}, 20_000);
