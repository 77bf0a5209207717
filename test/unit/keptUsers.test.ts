import { expect, test } from "vitest";
import type { PasswordOrigin } from "../../src/credentials/userLogin.js";
import type { CommandResult, Docker } from "../../src/docker/run.js";
import type { SecretFacts } from "../../src/docker/swarmSecrets.js";
import { createRecord, type EventKind } from "../../src/history/records.js";
import { keptUsers } from "../../src/secrets/keptUsers.js";

interface Swarm {
  /** Where the password of each generation of the htpasswd comes from. */
  origins: Readonly<Record<number, PasswordOrigin>>;
  /** The generation that the registry uses. */
  used?: number;
  /** Generations whose password was shown. */
  shown?: readonly number[];
  /** What was recorded, of which generation. */
  history?: readonly (readonly [EventKind, number])[];
}

/** The generation that a run on such a Swarm starts from. */
function kept({ origins, used, shown = [], history = [] }: Swarm) {
  const secrets = Object.entries(origins).map(
    ([number, origin]): SecretFacts => ({
      name: `forge_htpasswd_${number}`,
      kind: "htpasswd",
      generation: Number(number),
      created: new Date("2026-01-01T00:00:00Z"),
      origin,
      changed: new Map(),
      ends: new Map(),
    }),
  );
  const records = history.map(([kind, users], index) => {
    const at = new Date(Date.UTC(2026, 0, index + 1));
    const event = { kind, at, by: "ann@far", note: "", generations: { users, machines: 1 } };
    const args = createRecord("forge", index + 1, event);
    const labels = args.flatMap((arg, place) => (args[place - 1] === "--label" ? [arg.split("=", 2)] : []));
    return { Spec: { Name: args.at(-2) ?? "", Labels: Object.fromEntries(labels) } };
  });
  const answer = (args: readonly string[]): CommandResult => {
    if (args[1] === "ls") return done(records.map(({ Spec }) => Spec.Name).join("\n"));
    if (args[2]?.startsWith("forge_history_")) return done(JSON.stringify(records));
    return shown.some((generation) => args[2] === `forge_handed-over_${generation}`)
      ? done("[{}]")
      : { exitCode: 1, stdout: "[]", stderr: `Error: No such config: ${args[2]}` };
  };
  const docker: Docker = {
    attempt: async (args) => answer(args),
    run: async (args) => answer(args).stdout,
  };
  const inUse = used === undefined ? [] : [`forge_htpasswd_${used}`];
  return keptUsers(docker, { stack: "forge", secrets, used: inUse });
}

const done = (stdout: string): CommandResult => ({ exitCode: 0, stdout, stderr: "" });

test.each<[string, Swarm, number | undefined, boolean?]>([
  ["nothing, of an empty Swarm", { origins: {} }, undefined],
  ["what was given", { origins: { 1: "given" } }, 1],
  ["the generation in use, not the newest", { origins: { 1: "given", 2: "given" }, used: 1 }, 1],
  ["the generation in use, though its secret is not listed", { origins: { 1: "given" }, used: 2 }, 2],
  [
    "a generated password that was shown",
    { origins: { 1: "given", 2: "generated" }, used: 2, shown: [2] },
    2,
  ],
  [
    "the one before a generated password that was never shown",
    { origins: { 1: "given", 2: "generated" }, used: 2, history: [["deploy", 2]] },
    1,
  ],
  [
    "a generated password of a rotation that is recorded",
    { origins: { 1: "given", 2: "generated" }, used: 2, history: [["rotate", 2]] },
    2,
  ],
  [
    "a generated password that a later deploy went on from",
    {
      origins: { 1: "given", 2: "generated" },
      used: 2,
      history: [
        ["deploy", 2],
        ["deploy", 2],
      ],
    },
    2,
  ],
  [
    "a password that nobody knows where there is no other: no user is lost",
    { origins: { 1: "generated" }, used: 1 },
    1,
    false,
  ],
])("a run starts from %s", async (_name, swarm, generation, isKnown = true) => {
  expect(await kept(swarm)).toEqual(generation === undefined ? undefined : { generation, isKnown });
});
