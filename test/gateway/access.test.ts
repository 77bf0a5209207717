/**
 * Rules for repositories: the running gateway is compared with a model of the rules; each rule that is taken away or widened
 * is noticed; and fuzzed requests of several users read and change nothing that the rules do not allow.
 */
import { afterAll, beforeAll, expect, test } from "vitest";
import type { Image } from "../e2e/attacks/image.js";
import type { Endpoint } from "../e2e/attacks/raw.js";
import { FUZZED, fuzzRules, SEED } from "./access/fuzz.js";
import { accessMutations } from "./access/mutations.js";
import { type RuledStack, startRuledStack } from "./access/ruledStack.js";
import { Difference, SWEPT, Sweep } from "./access/sweep.js";
import { startGateways } from "./gateways.js";

let ruled: RuledStack;
let gateway: Endpoint;
const mutations: { mutation: ReturnType<typeof accessMutations>[number]; endpoint: Endpoint }[] = [];
const caught: string[] = [];

beforeAll(async () => {
  ruled = await startRuledStack();
  const { stack, files, images } = ruled;
  const all = accessMutations(files.settings);
  const [whole, ...broken] = await startGateways(
    stack,
    [{ ...files }, ...all.map(({ change }) => change(files))].map((one) => ({ ...one, around: "stack" })),
    images.get("team-a/app") as Image,
  );
  gateway = whole?.endpoint as Endpoint;
  for (const [index, mutation] of all.entries())
    mutations.push({ mutation, endpoint: broken[index]?.endpoint as Endpoint });
});

afterAll(async () => {
  console.log(`rules taken away or widened, and what noticed:\n${caught.sort().join("\n")}`);
  await ruled?.stop();
});

test("the gateway gives what the model gives", () => new Sweep(gateway, ruled.images).everything(SWEPT));

test("each rule that is taken away or widened is noticed by the part of the sweep that is about it", async () => {
  const queue = [...mutations];
  const unnoticed: string[] = [];
  const worker = async () => {
    for (let next = queue.shift(); next; next = queue.shift()) {
      const { rule, noticedBy } = next.mutation;
      if (noticedBy === "fuzzing") continue;
      const sweep = new Sweep(next.endpoint, ruled.images);
      const asked = typeof noticedBy === "string" ? sweep[noticedBy]() : sweep.rights(noticedBy);
      const failure = await asked.catch((error: Error) => error);
      if (failure instanceof Difference) caught.push(`${rule} | ${failure.message.slice(0, 140)}`);
      else unnoticed.push(`${rule}: ${failure?.message ?? "as the model"}`);
    }
  };
  await Promise.all(Array.from({ length: 4 }, worker));
  expect(unnoticed).toEqual([]);
});

test(`${FUZZED} fuzzed requests read and change nothing that the rules do not allow`, {
  timeout: 300_000 + 30 * FUZZED,
}, async () => {
  const result = await fuzzRules({ ...ruled.fuzzed, gateway }, SEED, FUZZED);
  console.log(`fuzzed: ${JSON.stringify(result.statuses)}`);
  expect(result.violations).toEqual([]);
  expect(result.faults).toEqual([]);
  // Some of them did something: else the test shows nothing.
  expect(result.statuses[200] ?? 0).toBeGreaterThan(FUZZED / 20);
  expect(result.changed.length).toBeGreaterThan(0);
});
