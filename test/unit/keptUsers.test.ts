import { expect, test } from "vitest";
import { keptUsers } from "../../src/secrets/generations.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { FakeEngine } from "../support/fakeEngine.js";

interface Swarm {
  /** Of each generation of the htpasswd: users with generated passwords that nobody had been shown, and who made them. */
  generated: Readonly<Record<number, Readonly<Record<string, number>>>>;
  /** The generation that the registry uses. */
  used?: number;
  /** Generations whose password was shown. */
  shown?: readonly number[];
}

/** The generation that a run on such a Swarm starts from. */
function kept({ generated, used, shown = [] }: Swarm) {
  const secrets = Object.entries(generated).map(
    ([number, users]): SecretFacts => ({
      name: `forge_htpasswd_${number}`,
      kind: "htpasswd",
      generation: Number(number),
      created: new Date("2026-01-01T00:00:00Z"),
      generated: new Map(Object.entries(users)),
      changed: new Map(),
      ends: new Map(),
    }),
  );
  const Labels = { "hephaestus.stack": "forge" };
  const configs = shown.map((generation) => ({ Spec: { Name: `forge_handed-over_${generation}`, Labels } }));
  const docker = new FakeEngine({ configs }).docker();
  const inUse = used === undefined ? [] : [`forge_htpasswd_${used}`];
  return keptUsers(docker, { stack: "forge", secrets, used: inUse });
}

test.each<[string, Swarm, number | undefined, string[]?]>([
  ["nothing, of an empty Swarm", { generated: {} }, undefined],
  ["what was given", { generated: { 1: {} } }, 1],
  ["the generation in use, not the newest", { generated: { 1: {}, 2: {} }, used: 1 }, 1],
  ["the generation in use, though its secret is not listed", { generated: { 1: {} }, used: 2 }, 2],
  ["a generated password that was shown", { generated: { 1: {}, 2: { ann: 2 } }, used: 2, shown: [2] }, 2],
  [
    "the one before a generated password that was never shown",
    { generated: { 1: {}, 2: { ann: 2 } }, used: 2 },
    1,
  ],
  [
    "a password that nobody knows if there is no other: no user is lost",
    { generated: { 1: { ann: 1 } }, used: 1 },
    1,
    ["ann"],
  ],
  [
    "the generation in use if the one before has the same unknown password",
    { generated: { 1: { ann: 1 }, 2: { ann: 1, bob: 2 } }, used: 2, shown: [2] },
    2,
    ["ann"],
  ],
  [
    "an unknown password in use, and no newer generation that was never used",
    { generated: { 1: { ann: 1 }, 2: {} }, used: 1 },
    1,
    ["ann"],
  ],
  [
    "the one before if a password of the one in use is unknown too",
    { generated: { 1: { ann: 1 }, 2: { ann: 1, bob: 2 } }, used: 2 },
    1,
    ["ann"],
  ],
])("a run starts from %s", async (_name, swarm, generation, unseen = []) => {
  const found = await kept(swarm);
  expect(found && { generation: found.generation, unseen: found.unseen }).toEqual(
    generation === undefined ? undefined : { generation, unseen },
  );
});
