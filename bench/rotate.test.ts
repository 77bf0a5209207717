import { test } from "vitest";
import { DEPLOY, writeConfig } from "../test/e2e/stack.js";
import { useSwarm } from "../test/e2e/swarm.js";
import { Workspace } from "../test/e2e/workspace.js";
import { HandWritten } from "./handWritten.js";

/** Prints how long a rotation takes, beside one by hand; asserts nothing about time. Run with: npm run bench:rotate */

const USER = "smith";
const ROUNDS = 3;

interface Measured {
  /**
   * Seconds until the command (or the person) was done. The new password is not tried before: the gateway remembers a
   * refusal.
   */
  done: number;
  pulls: number;
  failed: number;
}

test("a rotation beside one by hand", { timeout: 1_200_000 }, async () => {
  const swarm = useSwarm();
  const forge = await Workspace.create("forge", 5000, 8080);
  const byHand = new HandWritten(`${forge.folder}/by-hand`, swarm.images, USER);
  const ours: Measured[] = [];
  const theirs: Measured[] = [];
  try {
    await writeConfig(forge, swarm, {
      root: { credentials: { username: USER } },
      ui: { enabled: false },
    });
    await forge.hephaestus(["render"]);
    const first = "First-heat-0";
    const run = await forge.hephaestus([...DEPLOY, "--password-stdin"], { input: first });
    if (run.exitCode !== 0) throw new Error(run.all);
    await byHand.deploy(first);
    for (let round = 1; round <= ROUNDS; round++) {
      const password = `Next-heat-${round}`;
      ours.push(
        await measure(forge.registryUrl, async () => {
          const rotated = await forge.hephaestus(["rotate-password", "--password-stdin"], {
            input: password,
          });
          if (rotated.exitCode !== 0) throw new Error(rotated.all);
        }),
      );
      theirs.push(await measure(byHand.url, async () => byHand.rotate(password)));
    }
  } finally {
    await byHand.remove();
    await forge.destroy();
  }
  const middle = (values: number[]) => [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
  const of = (all: Measured[], key: keyof Measured) => middle(all.map((one) => one[key]));
  const rows = (["done", "pulls", "failed"] as const).map((key) => {
    const [a, b] = [of(ours, key), of(theirs, key)];
    const what = {
      done: "seconds until it is done",
      pulls: "anonymous reads meanwhile",
      failed: "of them failed",
    }[key];
    return `| ${what} | ${a.toFixed(1)} | ${b.toFixed(1)} | ${b === 0 ? "" : (a / b).toFixed(2)} |`;
  });
  console.log(["| | rotate-password | by hand | ratio |", "| --- | --- | --- | --- |", ...rows].join("\n"));
});

/** Runs a rotation, and reads without a password meanwhile. */
async function measure(url: string, work: () => Promise<void>): Promise<Measured> {
  const start = performance.now();
  const seconds = () => (performance.now() - start) / 1000;
  let finished = false;
  const count = { pulls: 0, failed: 0 };
  const reading = (async () => {
    while (!finished) {
      const answered = await fetch(`${url}/v2/none/tags/list`, {
        signal: AbortSignal.timeout(10_000),
      }).catch(() => undefined);
      count.pulls++;
      // There is no such repository: 404 is the registry's own answer.
      if (answered?.status !== 404) count.failed++;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  await work();
  const done = seconds();
  finished = true;
  await reading;
  return { done, ...count };
}
