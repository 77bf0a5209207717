import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { SUBJECTS } from "../../scripts/mutations/index.js";
import { occurrences } from "../../scripts/mutations/mutation.js";

const root = new URL("../../", import.meta.url);

test.each(SUBJECTS.map((subject) => [subject.file, subject] as const))("the mutations of %s fit it", (file, {
  tests,
  mutations,
}) => {
  const text = readFileSync(new URL(file, root), "utf8");
  for (const name of tests) expect(existsSync(new URL(`test/unit/${name}`, root)), name).toBe(true);
  for (const mutation of mutations) expect(occurrences(text, mutation), mutation.what).toBe(1);
});
