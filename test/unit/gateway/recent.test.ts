import { expect, test } from "vitest";
import { recent } from "../../../src/services/gateway/program/recent.js";

/** Texts that were worked on. */
function counted() {
  const seen: string[] = [];
  const work = recent((text: string) => {
    seen.push(text);
    return text === "none" ? undefined : text.length;
  });
  return { seen, work };
}

test("a text is worked on once, also one without a result", () => {
  const { seen, work } = counted();
  for (const text of ["abc", "none", "abc", "none"]) expect(work(text)).toBe(text === "none" ? undefined : 3);
  expect(seen).toEqual(["abc", "none"]);
});

test("it keeps few texts, and none that is long", () => {
  const { seen, work } = counted();
  const long = "x".repeat(301);
  for (let round = 0; round < 2; round++) expect(work(long)).toBe(301);
  expect(seen).toEqual([long, long]);
  for (let index = 0; index < 60; index++) work(`${index}`);
  seen.length = 0;
  work("0");
  expect(seen).toEqual(["0"]);
});
