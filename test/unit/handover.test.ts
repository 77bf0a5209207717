import { expect, test } from "vitest";
import { Secret } from "../../src/credentials/secret.js";
import { handOver } from "../../src/secrets/handover.js";
import type { SecretsPlan } from "../../src/secrets/secretsPlan.js";
import type { Session } from "../../src/session.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";

/** What a run with a generated password shows, says and writes. */
async function handedOver(wait: boolean, engine = new FakeEngine()) {
  const told: string[] = [];
  const cleanupDocker = engine.docker();
  const reporter = { note: (level: string, message: string) => told.push(`${level}: ${message}`) };
  const session = { config: { stack: "forge" }, cleanupDocker, reporter, options: { wait } };
  const plan = {
    change: { login: { user: "ann", password: new Secret("anvil"), origin: "generated" } },
    generations: { users: 2 },
  };
  await handOver(session as unknown as Session, plan as unknown as SecretsPlan, async (user, password) => {
    told.push(`${user}: ${password}`);
  });
  return [...told, ...engine.names("configs")];
}

test("a password that was shown is marked as handed over, also if the engine fails now and then", async () => {
  const engine = new FakeEngine();
  let faults = 2;
  engine.trouble = () => (faults-- > 0 ? refused(500, "a fault that passes") : undefined);
  expect(await handedOver(true, engine)).toEqual(["ann: anvil", "forge_handed-over_2"]);
});

test("an engine that takes no marker does not cost a password that was shown", async () => {
  const engine = new FakeEngine();
  engine.trouble = (asked) => (asked.startsWith("POST /configs") ? refused(500, "no leader") : undefined);
  expect(await handedOver(true, engine)).toEqual(["ann: anvil"]);
  expect(engine.requests.filter((request) => request.startsWith("POST"))).toHaveLength(3);
});

test("a password is no known one if nobody waited for its rollout, and that is said", async () => {
  expect(await handedOver(false)).toEqual([
    "ann: anvil",
    "warning: the rollout was not waited for, so nothing shows that the new password of ann works\n    Set one that is tested: hephaestus rotate-password --user ann",
  ]);
});
