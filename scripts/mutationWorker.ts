/**
 * Runs unit tests in a copy of the tree, over and over: a Vitest that stays takes a third of the time of a new one. A
 * process of its own, since a test that hangs can only be killed. Its parent sends orders and gets verdicts.
 */
import { writeFileSync } from "node:fs";
import { createVitest, type TestRunResult } from "vitest/node";

/** What a file is for one run of tests. */
export interface Order {
  path: string;
  text: string;
  original: string;
  tests: readonly string[];
}

export interface Verdict {
  /** `broken`: what was written is no program, so that the tests say nothing. */
  state: "killed" | "survived" | "broken";
  /** The test that failed, or what is broken. */
  by: string;
  /** First line of the error. */
  reason: string;
}

const vitest = await createVitest("test", {
  root: process.cwd(),
  config: false,
  watch: false,
  include: ["test/unit/**/*.test.ts"],
  testTimeout: 120_000,
  bail: 1,
  maxWorkers: 1,
  reporters: [{}],
});

const write = (path: string, text: string): void => {
  writeFileSync(path, text);
  vitest.invalidateFile(path);
};

async function judge({ path, text, original, tests }: Order): Promise<Verdict> {
  write(path, text);
  const specifications = await vitest.globTestSpecifications(tests.map((name) => `/unit/${name}`));
  const files = new Set(specifications.map(({ moduleId }) => moduleId));
  if (files.size !== tests.length) throw new Error(`found ${files.size} of the tests ${tests.join(", ")}`);
  const result = await vitest.runTestSpecifications(specifications);
  write(path, original);
  // Vitest also returns what it ran before.
  return verdictOf({
    ...result,
    testModules: result.testModules.filter(({ moduleId }) => files.has(moduleId)),
  });
}

const firstLine = (text: string): string => text.split("\n")[0] ?? "";

function verdictOf({ testModules, unhandledErrors }: TestRunResult): Verdict {
  for (const module of testModules) {
    const [error] = module.errors();
    if (error) return { state: "broken", by: module.relativeModuleId, reason: firstLine(error.message) };
    for (const test of module.children.allTests("failed")) {
      const { name = "", message = "" } = test.result().errors?.[0] ?? {};
      const state = /^(?:Reference|Syntax)Error$/.test(name) ? "broken" : "killed";
      return { state, by: `${module.relativeModuleId}: ${test.fullName}`, reason: firstLine(message) };
    }
  }
  if (unhandledErrors.length > 0)
    return { state: "killed", by: "an error outside of the tests", reason: String(unhandledErrors[0]) };
  return { state: "survived", by: "", reason: "" };
}

process.on("message", (order: Order) => {
  judge(order).then(
    (verdict) => process.send?.(verdict),
    (error) => process.send?.({ state: "broken", by: String(error), reason: "" } satisfies Verdict),
  );
});

process.once("disconnect", () => process.exit());
process.send?.("ready");
