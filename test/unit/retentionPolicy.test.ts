import { describe, expect, test } from "vitest";
import type { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { planRetention } from "../../src/maintenance/retention.js";
import { explainRetention, policyRule } from "../../src/maintenance/retentionPolicy.js";
import type { TaggedImage } from "../../src/maintenance/taggedImages.js";
import type { Digest } from "../../src/registry/digest.js";
import fc from "../support/properties.js";

const now = new Date("2026-11-26T12:00:00Z");
const DAY = 86_400_000;
const load = (text: string) => loadConfig(`domain: a.example\nregistry: { delete: true }\n${text}`, "f", {});
const image = (
  tag: string,
  digest: string,
  age: number | undefined,
  more: Partial<TaggedImage> = {},
): TaggedImage => ({
  tag,
  digest: digest as Digest,
  children: [],
  created: age === undefined ? undefined : new Date(now.getTime() - age * DAY),
  ...more,
});

const { config } = load(`access:
  - { repositories: ["team/**"], immutable: ["v*"] }
retention:
  - { repositories: ["pr/**"], keep: { last: 2, within: 7d, tags: [latest] } }
  - { repositories: ["team/**"], keep: { last: 1 } }
  - { repositories: ["notes/*"], keep: { tags: ["2026-*"] } }
`);

function decided(repository: string, images: TaggedImage[]): string[] | undefined {
  const rule = policyRule(config, repository, now);
  return (
    rule &&
    explainRetention(images, rule, planRetention(images, rule)).map(
      ({ tag, goes, reason }) => `${goes ? "goes" : "stays"} ${tag}: ${reason}`,
    )
  );
}

describe("a rule of retention", () => {
  test("keeps what one of its conditions keeps, and says which", () => {
    const images = [
      image("a", "1", 30),
      image("b", "2", 9),
      image("c", "3", 8),
      image("d", "4", 3),
      image("e", "5", 2),
      image("f", "6", undefined),
      image("latest", "7", 90),
    ];
    expect(decided("pr/app", images)).toEqual([
      "goes a: is 30 days old",
      "goes b: is 9 days old",
      "goes c: is 8 days old",
      "stays d: is one of the newest 2, or may be",
      "stays e: is one of the newest 2, or may be",
      "stays f: is one of the newest 2, or may be",
      "stays latest: matches latest",
    ]);
  });

  test("keeps immutable tags, and what other tags and images need", () => {
    const images = [
      image("amd", "amd", 50),
      image("multi", "m", 1, { children: ["amd" as Digest] }),
      image("old", "o", 40),
      image("same", "v", 40),
      image("sha256-o.sig", "s", undefined, { subject: "o" as Digest }),
      image("v1", "v", 40),
    ];
    expect(decided("team/app", images)).toEqual([
      "stays amd: is part of multi, which stays",
      "stays multi: is one of the newest 1, or may be",
      "goes old: is 40 days old",
      "stays same: is the same image as v1, which stays",
      "goes sha256-o.sig: belongs to an image that goes",
      "stays v1: is immutable by rule 1 of access",
    ]);
  });

  test("of tags alone releases every other tag", () => {
    expect(decided("notes/a", [image("2026-1", "1", 400), image("draft", "2", undefined)])).toEqual([
      "stays 2026-1: matches 2026-*",
      "goes draft: has no date",
    ]);
  });

  test("is not there: every tag stays", () => {
    expect(decided("other", [image("a", "1", 900)])).toBeUndefined();
    expect(decided("notes/a/b", [image("a", "1", 900)])).toBeUndefined();
  });
});

test.each([
  ["retention: [{ repositories: [a], keep: {} }]", /3 retention\.0\.keep: keeps nothing/],
  ["retention: [{ repositories: [a], keep: { within: 30 } }]", /3 retention\.0\.keep\.within/],
  ["retention: [{ repositories: ['a b'], keep: { last: 1 } }]", /3 retention\.0\.repositories\.0/],
  [
    "retention:\n  - { repositories: ['a/**'], keep: { last: 1 } }\n  - { repositories: [a/b], keep: { last: 2 } }",
    /5 retention\.1.*never decides/,
  ],
])("a mistake is found: %s", (text, wanted) => {
  let found: string[];
  try {
    found = load(text).warnings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  } catch (error) {
    found = (error as ConfigError).findings.map(({ line, path, message }) => `${line} ${path}: ${message}`);
  }
  expect(found).toHaveLength(1);
  expect(found[0]).toMatch(wanted);
});

describe("1,000 tags in 40 repositories, against a model", () => {
  const TAGS = 25;
  const tagNames = Array.from({ length: TAGS }, (_, index) =>
    index % 5 === 0 ? `rel-${index}` : `pr-${index}`,
  );
  const drawn = fc.record({
    ages: fc.array(fc.option(fc.integer({ min: 0, max: 60 }), { freq: 8, nil: undefined }), {
      minLength: TAGS,
      maxLength: TAGS,
    }),
    /** Which image each tag stands for: some stand for the same one. */
    digests: fc.array(fc.integer({ min: 0, max: 19 }), { minLength: TAGS, maxLength: TAGS }),
    /** Which tags are indexes, and of which image. */
    holds: fc.array(fc.option(fc.integer({ min: 0, max: 19 }), { freq: 3, nil: undefined }), {
      minLength: 20,
      maxLength: 20,
    }),
    keep: fc
      .record(
        {
          last: fc.integer({ min: 1, max: 12 }),
          within: fc.integer({ min: 1, max: 60 }),
          tags: fc.constant<string[]>(["rel-*"]),
        },
        { requiredKeys: [] },
      )
      .filter((keep) => Object.keys(keep).length > 0),
  });
  type Drawn = typeof drawn extends fc.Arbitrary<infer T> ? T : never;

  /** One date for each image; an index holds an image with a smaller number, so that there are no circles. */
  function imagesOf({ ages, digests, holds }: Drawn): TaggedImage[] {
    return tagNames.map((tag, index) => {
      const number = digests[index] ?? 0;
      const held = holds[number];
      const children = held !== undefined && held < number ? [`d${held}` as Digest] : [];
      return image(tag, `d${number}`, ages[number], { children });
    });
  }

  /** The tags that stay: those that a condition keeps, and what they need. */
  function staying(images: TaggedImage[], { last, within, tags }: Drawn["keep"]): Set<string> {
    const isNamed = ({ tag }: TaggedImage) => tags !== undefined && tag.startsWith("rel-");
    const others = images.filter((one) => !isNamed(one));
    const age = ({ created }: TaggedImage) => created && (now.getTime() - created.getTime()) / DAY;
    const kept = new Set(images.filter(isNamed));
    for (const one of others) {
      const days = age(one);
      if (within !== undefined && (days === undefined || days <= within)) kept.add(one);
      // Without a date, or among equals, nothing is surely newer.
      const newer = others.filter(
        (other) => days !== undefined && (age(other) ?? Number.POSITIVE_INFINITY) < days,
      );
      if (last !== undefined && newer.length < last) kept.add(one);
    }
    for (let before = -1; before !== kept.size; ) {
      before = kept.size;
      const needed = new Set([...kept].flatMap(({ digest, children }) => [digest, ...children]));
      for (const one of images) if (needed.has(one.digest)) kept.add(one);
    }
    return new Set([...kept].map(({ tag }) => tag));
  }

  test("nothing that stays loses what it needs, and everything else goes", () => {
    fc.assert(
      fc.property(fc.array(drawn, { minLength: 40, maxLength: 40 }), (repositories) => {
        const retention = repositories.map(({ keep: { last, within, tags } }, index) => ({
          repositories: [`r${index}/*`],
          keep: { last, within: within === undefined ? undefined : `${within}d`, tags },
        }));
        const policy = { ...config, access: [], retention };
        for (const [index, repository] of repositories.entries()) {
          const images = imagesOf(repository);
          const rule = policyRule(policy, `r${index}/app`, now);
          if (rule === undefined) throw new Error("A rule matches each of them.");
          const plan = planRetention(images, rule);
          const gone = new Set(plan.doomed.flatMap(({ tags }) => tags));
          const wanted = staying(images, repository.keep);
          expect(new Set(tagNames.filter((tag) => !gone.has(tag)))).toEqual(wanted);
          const explained = explainRetention(images, rule, plan);
          expect(
            explained
              .filter(({ goes }) => goes)
              .map(({ tag }) => tag)
              .sort(),
          ).toEqual([...gone].sort());
          for (const { reason } of explained) expect(reason).not.toBe("");
        }
      }),
      { numRuns: 15 },
    );
  });
});
