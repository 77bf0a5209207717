import { expect, test } from "vitest";
import type { CommandResult, Docker } from "../../src/docker/run.js";
import { createSecret, type SecretFacts, stackSecrets } from "../../src/docker/swarmSecrets.js";
import { keptGeneration } from "../../src/secrets/generations.js";

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

/** A Swarm with secrets that were created so. */
function swarmOf(created: readonly (readonly string[])[], answer: Partial<CommandResult> = {}): Docker {
  const secrets = created.map((args) => ({
    CreatedAt: "2026-11-24T10:00:00Z",
    Spec: {
      Name: args.at(-2) ?? "",
      Labels: Object.fromEntries(
        args.flatMap((arg, at) => (args[at - 1] === "--label" ? [arg.split("=", 2)] : [])),
      ),
    },
  }));
  return {
    run: async () => secrets.map(({ Spec }) => Spec.Name).join("\n"),
    attempt: async () => ({ exitCode: 0, stdout: JSON.stringify(secrets), stderr: "", ...answer }),
  };
}

test("what the Swarm says of a secret is what it was created with", async () => {
  const docker = swarmOf([
    createSecret("forge", htpasswd),
    createSecret("forge", { kind: "htpasswd", generation: 9 }),
    createSecret("forge", { kind: "s3", generation: 1 }),
    ["--label", "hephaestus.changed.ann=yesterday", "forge_htpasswd_1", "-"],
    ["forge_other_1", "-"],
  ]);
  const secrets = await stackSecrets(docker, "forge");
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

test("an engine that does not answer has not lost its secrets; one that lost one says so", async () => {
  const created = [createSecret("forge", htpasswd)];
  await expect(stackSecrets(swarmOf(created, { exitCode: 1, stderr: "no answer" }), "forge")).rejects.toThrow(
    "no answer",
  );
  const gone = { exitCode: 1, stdout: "[]", stderr: "Error: No such secret: forge_htpasswd_10" };
  expect(await stackSecrets(swarmOf(created, gone), "forge")).toEqual([]);
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
