import { expect, test } from "vitest";
import { keptGeneration } from "../../src/secrets/generations.js";
import { type SecretFacts, secretLabels, stackSecrets } from "../../src/swarm/secrets.js";
import { FakeEngine } from "../support/fakeEngine.js";

const day = new Date("2026-11-24T10:00:00.123Z");
const htpasswd = {
  kind: "htpasswd",
  generation: 10,
  generated: new Map([["ann", 10]]),
  changed: new Map([
    ["ann", day],
    ["b,ob", day],
  ]),
  ends: new Map([["ann", "2027-03-01"]]),
} as const;

/** A Swarm with secrets that have these labels. */
const swarmOf = (secrets: Readonly<Record<string, Record<string, string>>>) =>
  new FakeEngine({
    secrets: Object.entries(secrets).map(([Name, Labels]) => ({
      CreatedAt: "2026-11-24T10:00:00Z",
      Spec: { Name, Labels: { "hephaestus.stack": "forge", ...Labels } },
    })),
  });

test("what the Swarm says of a secret is what it was created with", async () => {
  const swarm = swarmOf({
    forge_htpasswd_10: secretLabels("forge", htpasswd),
    forge_htpasswd_9: secretLabels("forge", { kind: "htpasswd", generation: 9 }),
    forge_s3_1: secretLabels("forge", { kind: "s3", generation: 1 }),
    forge_htpasswd_1: { "hephaestus.changed.ann": "yesterday" },
    forge_other_1: {},
    others_htpasswd_7: { "hephaestus.stack": "others" },
  });
  const secrets = await stackSecrets(swarm.docker(), "forge");
  expect(secrets.map(({ name }) => name)).toEqual([
    "forge_htpasswd_1",
    "forge_htpasswd_10",
    "forge_htpasswd_9",
    "forge_s3_1",
  ]);
  expect(secrets[1]).toMatchObject({
    kind: "htpasswd",
    generation: 10,
    generated: new Map([["ann", 10]]),
    // A name that cannot stand in a label has none.
    changed: new Map([["ann", new Date("2026-11-24T10:00:00Z")]]),
    ends: new Map([["ann", "2027-03-01"]]),
  });
  expect(secrets[0]).toMatchObject({ generated: new Map(), changed: new Map() });
});

test("an engine that does not answer has not lost its secrets", async () => {
  const swarm = swarmOf({ forge_htpasswd_10: secretLabels("forge", htpasswd) });
  swarm.silent = true;
  await expect(stackSecrets(swarm.docker(), "forge")).rejects.toThrow("no answer");
});

test("the generation that a service uses is kept, else the newest", () => {
  const found = (generations: number[], used: string[]) => ({
    stack: "forge",
    secrets: generations.map((generation) => ({ name: `forge_s3_${generation}` }) as SecretFacts),
    used,
  });
  const kept = (used: string[]) => keptGeneration(found([1, 3, 2], used), ["s3"]);
  expect(kept(["forge_s3_2"])).toBe(2);
  expect(kept(["other_s3_2"])).toBe(3);
  expect(keptGeneration(found([], []), ["s3"])).toBeUndefined();
});
