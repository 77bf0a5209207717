/** Fuzzed requests of several users find a rule that is taken away. */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Image } from "../e2e/attacks/image.js";
import { fuzzRules, SEED } from "./access/fuzz.js";
import { accessMutations, FOUND_BY_FUZZING } from "./access/mutations.js";
import { type RuledStack, startRuledStack } from "./access/ruledStack.js";
import type { Site } from "./attacks/site.js";
import { startGateways } from "./gateways.js";

let ruled: RuledStack;
let broken: Site[];

beforeAll(async () => {
  ruled = await startRuledStack();
  const { stack, files, images } = ruled;
  const all = accessMutations(files.settings);
  const plans = FOUND_BY_FUZZING.map(([wanted]) => {
    const changed = all.find(({ rule }) => rule === wanted)?.change(files);
    if (changed === undefined) throw new Error(`no mutation takes this away: ${wanted}`);
    return { ...changed, around: "stack" as const };
  });
  broken = await startGateways(stack, plans, images.get("team-a/app") as Image);
});

afterAll(() => ruled?.stop());

test.each(
  FOUND_BY_FUZZING.map(([rule, fuzzer], index) => [rule, fuzzer, index] as const),
)("they find what breaks this: %s", async (rule, fuzzer, index) => {
  const gateway = (broken[index] as Site).endpoint;
  const violations: string[] = [];
  let sent = 0;
  for (let round = 1; violations.length === 0 && sent < 20_000; round++) {
    const result = await fuzzRules({ ...ruled.fuzzed, gateway }, SEED + round, 1000, { fuzzer });
    violations.push(...result.violations);
    sent += result.sent;
  }
  console.log(`${rule}: found after ${sent} requests: ${violations[0]}`);
  expect(violations.length).toBeGreaterThan(0);
});
