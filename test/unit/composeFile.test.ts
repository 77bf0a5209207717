import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { type ComposedStack, composedSpec } from "../../src/diff/composedService.js";
import { composeServices, readComposeFile } from "../../src/diff/composeFile.js";
import { OperatorError } from "../../src/errors.js";

/**
 * forms.config.yml is what `docker stack config` (CLI 28.2.2) printed of forms.compose.yml. test/e2e/compose.test.ts
 * compares the two for all golden files, where a CLI is there that has the command.
 */
const read = (name: string) => readFileSync(new URL(`./fixtures/${name}`, import.meta.url), "utf8");
const ENVIRONMENT = { GIVEN: "given", HEPHAESTUS_GENERATION: "7" };

test("a compose file is read as docker reads it, in each of its forms", () => {
  const theirs = parse(read("forms.config.yml"), { schema: "failsafe" }) as ComposedStack;
  const ours = readComposeFile(read("forms.compose.yml"), ENVIRONMENT);
  expect(Object.keys(ours.services).sort()).toEqual(Object.keys(theirs.services));
  for (const name of Object.keys(theirs.services))
    expect(composedSpec("forge", ours, name)).toEqual(composedSpec("forge", theirs, name));
  expect(composeServices(read("forms.compose.yml"))).toEqual(["registry", "reader"]);
});

describe("a variable", () => {
  const value = (text: string, environment: Record<string, string> = {}) =>
    readComposeFile(`services:\n  a:\n    image: ${JSON.stringify(text)}\n`, environment).services.a?.image;

  test.each<[string, Record<string, string>, string]>([
    ["${A:-b}", {}, "b"],
    ["${A:-b}", { A: "" }, "b"],
    ["${A:-b}", { A: "c" }, "c"],
    ["${A-b}", { A: "" }, ""],
    ["${A-b}", {}, "b"],
    ["x${A}y", {}, "xy"],
    ["$A.$$A", { A: "c" }, "c.$A"],
    ["$${A:-b}", { A: "c" }, "${A:-b}"],
    ["$$$A", { A: "c" }, "$c"],
    ["5$ and $", {}, "5$ and $"],
  ])("%s with %j is %s", (text, environment, expected) => {
    expect(value(text, environment)).toBe(expected);
  });
});

test.each([
  ["ports:\n      - 5000:5000", "ports has the short form 5000:5000"],
  ["volumes:\n      - /a:/b", "volumes has the short form /a:/b"],
  ["entrypoint: sleep 5", "entrypoint is no list"],
  ["deploy:\n      resources:\n        limits:\n          memory: much", "much is no size"],
])("what is not read is refused: %j", (part, message) => {
  const text = `services:\n  a:\n    image: x\n    ${part}\n`;
  expect(() => readComposeFile(text, {})).toThrow(OperatorError);
  expect(() => readComposeFile(text, {})).toThrow(message);
});
