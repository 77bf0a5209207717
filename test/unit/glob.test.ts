import { describe, expect, test } from "vitest";
import { globPattern, intersect, isCovered, matchesGlob, REPOSITORY_GLOB } from "../../src/access/glob.js";
import fc from "../support/properties.js";

const matches = (glob: string, name: string): boolean => new RegExp(globPattern(glob)).test(name);

describe("a glob", () => {
  test.each([
    ["team-a/**", ["team-a", "team-a/x", "team-a/x/y"], ["team-ab", "team-ab/x", "x/team-a/y", "team-a-x"]],
    ["team-a/*", ["team-a/x"], ["team-a", "team-a/", "team-a/x/y", "team-b/x"]],
    ["**/base", ["base", "a/base", "a/b/base"], ["database", "a/base/c", "basement"]],
    ["a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["a/bz", "az", "a/b/z/c"]],
    ["pr-*", ["pr-", "pr-1"], ["pr-1/x", "a/pr-1"]],
    ["*", ["a"], ["a/b"]],
    ["**", ["a", "a/b"], []],
    ["a.b", ["a.b"], ["axb"]],
  ] as const)("%s", (glob, right, wrong) => {
    for (const name of right) expect(matches(glob, name), name).toBe(true);
    for (const name of wrong) expect(matches(glob, name), name).toBe(false);
  });

  test("has a form", () => {
    for (const glob of ["a", "a/**", "**", "a*b/c", "*"]) expect(REPOSITORY_GLOB.test(glob)).toBe(true);
    for (const glob of ["", "/a", "a/", "A", "a//b", "a b", "a{b,c}", "[ab]", 'a"', "**/**", "a**", "**a/b"])
      expect(REPOSITORY_GLOB.test(glob), glob).toBe(false);
  });
});

const segment = fc.constantFrom("a", "b", "ab", "a*", "*b", "*", "a*b", "**");
const globOf = (maxLength: number) =>
  fc
    .array(segment, { minLength: 1, maxLength })
    .map((parts) => parts.join("/"))
    .filter((text) => REPOSITORY_GLOB.test(text));
const glob = globOf(4);
const name = fc
  .array(fc.stringMatching(/^[abc]{1,3}$/), { minLength: 1, maxLength: 4 })
  .map((parts) => parts.join("/"));

test("a glob matches what its pattern matches", () => {
  fc.assert(
    fc.property(globOf(6), name, (one, drawn) => {
      expect(matchesGlob(one, drawn), `${one} ${drawn}`).toBe(matches(one, drawn));
    }),
    { numRuns: 3000 },
  );
});

test("globs of many stars, and names that are made for them, cost no time", () => {
  const started = performance.now();
  const stars = (letter: string) => `${`*${letter}`.repeat(20)}*`;
  expect(matchesGlob(`${stars("a")}b`, "a".repeat(255))).toBe(false);
  expect(matchesGlob(`${Array(20).fill("**/a").join("/")}/b`, Array(128).fill("a").join("/"))).toBe(false);
  expect(intersect(`${stars("a")}c`, `${stars("b")}d`)).toBe(false);
  expect(intersect(stars("a"), stars("b"))).toBe(true);
  expect(intersect(`${Array(12).fill("**/a").join("/")}/c`, `${Array(12).fill("**/b").join("/")}/d`)).toBe(
    false,
  );
  expect(isCovered(`${Array(12).fill("**/a").join("/")}/c`, [`${Array(12).fill("**/a").join("/")}/d`])).toBe(
    false,
  );
  expect(performance.now() - started).toBeLessThan(500);
});

describe("the comparison of globs", () => {
  test.each([
    ["team-a/x", ["team-a/**"], true],
    ["team-a/**", ["team-a/x"], false],
    ["team-a/**", ["team-*/**"], true],
    ["*", ["**"], true],
    ["**", ["*"], false],
    ["a", ["a/**"], true],
    ["a/**", ["a/**"], true],
    ["a/**", ["b", "a/*"], false],
    ["pr-*", ["pr-1", "*"], true],
    ["*", ["pr-*"], false],
    ["*", ["*-*"], false],
    ["a/**/b", ["a/**"], true],
    ["a", [], false],
  ] as const)("%s within %j: %s", (inner, outer, expected) => {
    expect(isCovered(inner, outer)).toBe(expected);
  });

  test("agrees with names", () => {
    fc.assert(
      fc.property(
        glob,
        fc.array(glob, { maxLength: 3 }),
        fc.array(name, { maxLength: 40 }),
        (a, others, names) => {
          const covered = isCovered(a, others);
          for (const drawn of names) {
            if (!matches(a, drawn)) continue;
            const found = others.filter((other) => matches(other, drawn));
            if (covered) expect(found, `${a} within ${others}: ${drawn}`).not.toEqual([]);
            for (const other of found) expect(intersect(a, other), `${a} and ${other}: ${drawn}`).toBe(true);
          }
        },
      ),
      { numRuns: 1000 },
    );
  });

  /** All names of up to three segments over two letters and one more: enough to distinguish these globs. */
  const words = ["a", "b", "c", "aa", "ab", "ac", "ba", "bb", "cb", "aab", "abb", "acb"];
  const all = words.flatMap((x) => [x, ...words.flatMap((y) => [`${x}/${y}`, `${x}/${y}/c`, `c/${x}/${y}`])]);

  test("finds a witness where one is short", () => {
    const short = globOf(2);
    fc.assert(
      fc.property(short, short, (a, b) => {
        const [inA, inB] = [
          all.filter((each) => matches(a, each)),
          new Set(all.filter((each) => matches(b, each))),
        ];
        if (isCovered(a, [b]))
          expect(
            inA.filter((each) => !inB.has(each)),
            `${a} within ${b}`,
          ).toEqual([]);
        expect(intersect(a, b), `${a} and ${b}`).toBe(inA.some((each) => inB.has(each)));
      }),
      { numRuns: 300 },
    );
  });
});
