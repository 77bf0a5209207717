import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type ComposeFile, FileMode, Interpolated } from "../../src/services/composeModel.js";
import { composeText } from "../../src/services/composeText.js";

const written = (environment: Record<string, unknown>) =>
  composeText({ services: { a: { environment } } } as unknown as ComposeFile, "header");

const line = (value: unknown) => /^ {6}V: (.*)$/m.exec(written({ V: value }))?.[1];

describe("a text in the compose file", () => {
  // Docker's parser is Go's: it reads some words as numbers that YAML 1.1 takes for text. Each was seen changed by
  // `docker stack config` when it stood there without quotes.
  test.each([
    "0o17",
    "+0o7",
    "-0o1",
    "0O17",
    "0o_1",
    "0_o1",
    "0X1f",
    "0B1",
    "1e1_0",
    "-_0",
    "+_0x1",
  ])("%s stays a text where Go would read a number", (value) => expect(line(value)).toBe(`"${value}"`));

  test.each([
    "yes",
    "on",
    "Y",
    "no",
    "0400",
    "0x1F",
    "0b11",
    "1_000",
    "1:30",
    "1e3",
    ".5",
    ".inf",
    "~",
    "null",
  ])("%s stays a text where YAML 1.1 would read something else", (value) =>
    expect(line(value)).toBe(`"${value}"`));

  test.each([
    "",
    " a",
    "a ",
    "a: b",
    "a #b",
    "#a",
    "- a",
    "*a",
    "&a",
    "!a",
    "{a}",
    "[a",
    "%a",
    "@a",
    "`a",
    "'",
    '"',
  ])("%j is read back as it was", (value) => {
    const { services } = parse(written({ V: value }), { version: "1.1" }) as {
      services: { a: { environment: { V: string } } };
    };
    expect(services.a.environment.V).toBe(value);
  });

  test("has every dollar doubled in values, and not in keys, which docker does not interpolate", () => {
    expect(line("$5 for ${USER:-you}, $$")).toBe("$$5 for $${USER:-you}, $$$$");
    expect(written({ A$B: "x" })).toContain("A$B: x");
  });

  test("is interpolated where it says so", () => {
    expect(line(new Interpolated("a_${N:-1}"))).toBe("a_${N:-1}");
  });

  test("never folds, however long it is", () => {
    expect(line("word ".repeat(60).trim())).toBe("word ".repeat(60).trim());
  });
});

test("file modes are octal, as people read them", () => {
  expect(line(new FileMode(0o400))).toBe("0400");
});

test("a key that Go would read as a number stays a key", () => {
  expect(written({ "0o17": "x" })).toContain('"0o17": x');
});
