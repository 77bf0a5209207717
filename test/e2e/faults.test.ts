import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { restartEngine } from "../support/engine.js";
import { RotatedStack } from "./rotation/rotatedStack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run } from "./workspace.js";

/** Rotations that are broken at every place: whatever happens, a known password is valid and the next run heals. */

const swarm = useSwarm();
const STACKS = 3;
const TIMEOUT = 600_000;
let stacks: RotatedStack[];

beforeAll(async () => {
  const numbers = Array.from({ length: STACKS }, (_, index) => index);
  stacks = await Promise.all(
    numbers.map((index) => RotatedStack.create(`turn${index}`, 5000 + index, swarm)),
  );
}, TIMEOUT);

afterAll(() => Promise.all((stacks ?? []).map((rotated) => rotated.destroy())), TIMEOUT);

/** The ids of all steps, as a rotation tells them. */
async function stepsOf(rotated: RotatedStack): Promise<string[]> {
  const { run, fresh } = await rotated.rotate(false, {});
  expectOk(run);
  rotated.password = fresh ?? "";
  return [...run.all.matchAll(/"event":"begin","step":"([^"]+)"/g)].map(([, id = ""]) => id);
}

interface Case {
  name: string;
  /** Breaks a rotation; what is not as it has to be, and the password that may be valid now. */
  run(rotated: RotatedStack): Promise<{ faults: string[]; fresh: string | undefined }>;
}

/** Works through the cases, each stack one at a time; says how each ended. */
async function workThrough(cases: readonly Case[]): Promise<string[]> {
  const waiting = [...cases];
  const bad: string[] = [];
  const lines: string[] = [];
  const work = async (rotated: RotatedStack) => {
    for (let next = waiting.shift(); next; next = waiting.shift()) {
      const { faults, fresh } = await next.run(rotated);
      const old = rotated.password;
      faults.push(...(await rotated.heal(fresh)));
      lines.push(`${next.name}: ${rotated.password === old ? "old" : "new"} password, healed`);
      bad.push(...faults.map((fault) => `${next.name}: ${fault}`));
    }
  };
  await Promise.all(stacks.map(work));
  console.log(lines.sort().join("\n"));
  return bad;
}

/** One of the passwords that somebody knows is valid; the tasks may be about to change. */
async function somebodyCanPush(rotated: RotatedStack, fresh: string | undefined): Promise<string[]> {
  const known = [rotated.password, ...(fresh === undefined ? [] : [fresh])];
  return (await rotated.valid(known)).length > 0 ? [] : ["no known password is valid"];
}

const killed = (step: string, moment: "begin" | "end", generated: boolean): Case => ({
  name: `killed at the ${moment} of ${step}, ${generated ? "generated" : "given"}`,
  async run(rotated) {
    const when = new RegExp(`"event":"${moment}","step":"${step}"`);
    const rotate = () => rotated.rotate(generated, { killSignalAfter: { signal: "SIGKILL", when } });
    const isOver = (run: Run) => run.exitCode === ExitCode.ok && !(step === "clean-up" && moment === "end");
    let { run, fresh } = await rotate();
    // On a busy machine the signal may come after the end.
    for (let tries = 1; tries < 3 && isOver(run); tries++) {
      await rotated.heal(fresh);
      ({ run, fresh } = await rotate());
    }
    if (isOver(run)) return { faults: [`was not killed: ${run.all}`], fresh };
    // A generated password that was never shown is nobody's: the next run goes back from it.
    return { faults: generated ? [] : await somebodyCanPush(rotated, fresh), fresh };
  },
});

test("a rotation that is killed at any of its steps", { timeout: TIMEOUT }, async () => {
  const [first] = stacks as [RotatedStack];
  const steps = await stepsOf(first);
  expect(steps).toEqual(expect.arrayContaining(["rollout", "hand-over", "clean-up"]));
  const cases = steps.flatMap((step) => [killed(step, "begin", false), killed(step, "end", true)]);
  expect(await workThrough(cases)).toEqual([]);
});

test("a rotation whose docker or engine fails at each of its calls in turn", {
  timeout: TIMEOUT,
}, async () => {
  const [first] = stacks as [RotatedStack];
  // All of them, so that the cases begin alike: with a generated password.
  await Promise.all(
    stacks.map(async (rotated) => {
      const { run, fresh } = await rotated.rotate(true, { env: await rotated.wrapper.environment() });
      expectOk(run);
      rotated.password = fresh ?? "";
    }),
  );
  const calls = await first.wrapper.calls();
  expect(calls.length).toBeGreaterThan(15);
  const cases = calls.map(
    (call, index): Case => ({
      name: `call ${String(index + 1).padStart(2)}: ${call.replaceAll(first.workspace.stack, "STACK").slice(2, 90)}`,
      async run(rotated) {
        const fails = call.replaceAll(first.workspace.stack, rotated.workspace.stack);
        const { run, fresh } = await rotated.rotate(true, {
          env: await rotated.wrapper.environment(fails),
        });
        const faults = await somebodyCanPush(rotated, fresh);
        if (!(await rotated.wrapper.hasFailed())) faults.push("nothing failed");
        if (/This is a bug/.test(run.all)) faults.push(`takes it for a bug: ${run.all}`);
        if (run.exitCode === ExitCode.ok && fresh === undefined) faults.push("says done, and shows nothing");
        return { faults, fresh };
      },
    }),
  );
  expect(await workThrough(cases)).toEqual([]);
});

test("a rotation while the engine restarts", { timeout: TIMEOUT }, async () => {
  const [rotated] = stacks as [RotatedStack];
  const folder = swarm.dockerHost.slice("unix://".length).replace(/\/docker\.sock$/, "");
  let restart: Promise<void> | undefined;
  const { run, fresh } = await rotated.rotate(false, {
    onOutput: (text) => {
      if (/"begin","step":"rollout"/.test(text)) restart ??= restartEngine(folder);
    },
  });
  expect(restart).toBeDefined();
  await restart;
  console.log(`the rotation ended with ${run.exitCode} after the engine's restart`);
  // The engine starts the tasks of all stacks again, one after the other.
  await expect.poll(() => somebodyCanPush(rotated, fresh), { timeout: 120_000 }).toEqual([]);
  expect(await rotated.heal(fresh)).toEqual([]);
});
