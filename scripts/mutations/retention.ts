import type { Subject } from "./mutation.js";

/** Which tags and backups go. */
export const RETENTION: readonly Subject[] = [
  {
    file: "src/maintenance/retention.ts",
    tests: ["retention.test.ts", "retentionPolicy.test.ts"],
    mutations: [
      {
        what: "({ subject }) => subject === undefined);\n  const matching",
        by: "() => true);\n  const matching",
        rule: "a signature is no version",
      },
      {
        what: "newest(matching, rule.keepLast",
        by: "newest(versions, rule.keepLast",
        rule: "only tags that the rule selects count among the newest",
      },
      {
        what: "created.getTime() < rule.now.getTime()",
        by: "created.getTime() <= rule.now.getTime()",
        rule: "an image of exactly so many days stays",
      },
      {
        what: "(created !== undefined && created.getTime()",
        by: "(created === undefined || created.getTime()",
        rule: "an image without a date is never old",
      },
      {
        what: "!recent.has(image.tag) && isOld(image)",
        by: "!recent.has(image.tag) || isOld(image)",
        rule: "the newest stay, however old they are",
      },
      {
        what: "new Set([...released, ...following]));",
        by: "released);",
        rule: "a referrer that is held keeps its image",
      },
      {
        what: "isNewer(other, image)).length < number",
        by: "isNewer(other, image)).length <= number",
        rule: "no more than so many stay",
      },
      {
        what: "if (number === 0) return new Set();",
        by: "",
        rule: "none stays for its age where none shall",
        survives: "it saves time: nothing has fewer than no newer ones",
      },
      {
        what: "(time(a) ?? 0) - (time(b) ?? 0) ||",
        by: "(time(b) ?? 0) - (time(a) ?? 0) ||",
        rule: "dates and versions agree where both rise",
      },
      {
        what: "- (time(b) ?? 0) || byVersion(a, b));",
        by: "- (time(b) ?? 0));",
        rule: "of equal dates the versions rise",
      },
      {
        what: "byVersion(dated[at - 1] ?? image, image) <= 0",
        by: "byVersion(dated[at - 1] ?? image, image) >= 0",
        rule: "dates and versions agree where both rise",
      },
      {
        what: "byVersion(dated[at - 1] ?? image, image) <= 0",
        by: "byVersion(dated[at - 1] ?? image, image) < 0",
        rule: "two names of one version do not disagree",
      },
      {
        what: "const agree = dated.every(",
        by: "const agree = dated.some(",
        rule: "each dated version has to agree",
      },
      {
        what: "second !== undefined && first !== second) return",
        by: "second !== undefined) return",
        rule: "of equal dates the version decides",
      },
      {
        what: "return first > second;",
        by: "return first >= second;",
        rule: "of equal dates neither is newer",
        survives: "the line before leaves out equal dates",
      },
      {
        what: "const comparable = agree || ",
        by: "const comparable = ",
        rule: "an undated version counts where dates and versions agree",
      },
      {
        what: "const comparable = agree || (first === undefined) === (second === undefined);",
        by: "const comparable = true;",
        rule: "an undated version does not count where dates and versions disagree",
      },
      {
        what: "return comparable && byVersion(a, b) > 0;",
        by: "return byVersion(a, b) > 0;",
        rule: "what cannot be compared is not newer",
      },
      {
        what: "return comparable && byVersion(a, b) > 0;",
        by: "return comparable && byVersion(a, b) >= 0;",
        rule: "an equal version is not newer",
      },
      {
        what: "return first && second ? compareTagVersions(first, second) : 0;",
        by: "return first && second ? compareTagVersions(first, second) : 1;",
        rule: "a name that is no version is not newer than one",
      },
      {
        what: "const freed = left > 0 ? [] :",
        by: "const freed = left > 1 ? [] :",
        rule: "a referrer stays while something else is its image",
      },
      {
        what: "for (const digest of [own, ...children]) {\n      const left",
        by: "for (const digest of [own]) {\n      const left",
        rule: "what refers to a platform follows its index",
      },
      { what: "      leaving.push(referrer);\n", by: "", rule: "what refers to a referrer follows too" },
      {
        what: "if (twin !== undefined) return [{",
        by: "if (twin === undefined) return [{",
        rule: "an image stays under all of its tags",
      },
      {
        what: "return index === undefined ? [] : [{",
        by: "return index === undefined || twin === undefined ? [] : [{",
        rule: "what an index that stays holds, stays",
      },
      {
        what: "[...[...following].reverse(), ...released]",
        by: "[...released, ...following]",
        rule: "what refers to an image goes before the image",
      },
      {
        what: "tags: [...(doomed.get(digest)?.tags ?? []), tag]",
        by: "tags: [tag]",
        rule: "all tags of a manifest are named",
      },
    ],
  },
  {
    file: "src/maintenance/retentionPolicy.ts",
    tests: ["retentionPolicy.test.ts", "pruneRepositories.test.ts"],
    mutations: [
      { what: "return immutable(tag) ?? (glob", by: "return (glob", rule: "immutable tags stay" },
      { what: "keepLast: last,", by: "keepLast: undefined,", rule: "the newest so many stay" },
      {
        what: "Number(within.slice(0, -1))",
        by: "Number(within.slice(0, -2))",
        rule: "within counts whole days",
      },
      {
        what: "matches: (tag) => keptBecause(tag) === undefined,",
        by: "matches: (tag) => keptBecause(tag) !== undefined,",
        rule: "what is named stays",
      },
      {
        what: "if (found === undefined) return undefined;\n  const { last",
        by: "if (found === undefined) return { keepLast: undefined, olderThanDays: undefined, now, matches: () => true, keptBecause: () => undefined };\n  const { last",
        rule: "without a rule every tag stays",
      },
      {
        what: "return matches\n      ? hidden",
        by: "return !matches\n      ? hidden",
        rule: "a rule that matches nothing visible is told",
      },
    ],
  },
  {
    file: "src/maintenance/pruneRepositories.ts",
    tests: ["pruneRepositories.test.ts"],
    mutations: [
      { what: "if (!dryRun) await api.remove", by: "await api.remove", rule: "a dry run deletes nothing" },
      {
        what: "of seen.filter(wanted)) {",
        by: "of seen) {",
        rule: "only the wanted repositories are pruned",
      },
      {
        what: "      result.skipped++;\n      continue;",
        by: "      result.skipped++;",
        rule: "a repository that cannot be read whole is left alone",
      },
      {
        what: "if (unreadable.length > 0) {",
        by: "if (unreadable.length > 1) {",
        rule: "a repository that cannot be read whole is left alone",
      },
      {
        what: "result.removed += tags.length;",
        by: "result.removed++;",
        rule: "tags are counted, not manifests",
      },
    ],
  },
  {
    file: "src/maintenance/versions.ts",
    tests: ["retention.test.ts"],
    mutations: [
      {
        what: "at < Math.max(a.numbers.length, b.numbers.length)",
        by: "at < Math.min(a.numbers.length, b.numbers.length)",
        rule: "1.0 is older than 1.0.1",
      },
      {
        what: "if (difference !== 0) return difference;",
        by: "if (difference > 0) return difference;",
        rule: "the first number that differs decides",
      },
      {
        what: "return b.length - a.length;",
        by: "return a.length - b.length;",
        rule: "a pre-release comes before its release",
      },
      {
        what: "return first === undefined ? 1 : -1;",
        by: "return first === undefined ? -1 : 1;",
        rule: "numbers come before words in a pre-release",
      },
      {
        what: "if (other === undefined) return 1;",
        by: "if (other === undefined) return -1;",
        rule: "rc.1.1 is newer than rc.1",
      },
      {
        what: "return one < other ? -1 : 1;",
        by: "return one < other ? 1 : -1;",
        rule: "words are compared by the alphabet",
      },
    ],
  },
  {
    file: "src/registry/registryApi.ts",
    tests: ["retention.test.ts", "retentionPolicy.test.ts", "storedTags.test.ts"],
    mutations: [
      {
        what: "date.getTime() >= FIRST_REGISTRY ? date",
        by: "date.getTime() > 0 ? date",
        rule: "the date of a reproducible build is none",
      },
    ],
  },
  {
    file: "src/maintenance/taggedImages.ts",
    tests: ["retention.test.ts", "retentionPolicy.test.ts", "storedTags.test.ts"],
    mutations: [
      {
        what: "(?:\\..+)?$/;",
        by: "(?:\\..+)$/;",
        rule: "the fallback tag of the specification is a referrer's",
      },
    ],
  },
];
