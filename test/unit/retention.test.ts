import fc from "fast-check";
import { expect, test } from "vitest";
import { planRetention, type Rule, type TaggedImage } from "../../src/images/retention.js";

const now = new Date("2026-11-24T12:00:00Z");
const daysAgo = (days: number) => new Date(now.getTime() - days * 86_400_000);
const image = (
  tag: string,
  digest: string,
  age: number | undefined,
  children: string[] = [],
): TaggedImage => ({
  tag,
  digest,
  children,
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
  expect(going(images, { olderThanDays: 0, keepLast: 1 })).toEqual(["a", "b"]);
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
  const digest = fc.constantFrom("1", "2", "3", "4", "5");
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
