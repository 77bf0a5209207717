import { readFileSync } from "node:fs";
import { expect, test, vi } from "vitest";
import type { CommandResult, Docker } from "../../src/docker/run.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";
import { LockKeeper } from "../../src/operation/lockKeeper.js";
import { beat, LOCK_SECONDS, readLock } from "../../src/operation/lockObjects.js";
import { hasEnded, processIdentity } from "../../src/operation/processIdentity.js";
import { lookAtLock, releaseLock, takeLock, withLock } from "../../src/operation/stackLock.js";
import { ConfigSwarm } from "./configSwarm.js";

const codeOf = (error: OperatorError) => error.exitCode;

/** Takes the lock for a process that is not known here, as one on another machine. */
async function takeElsewhere(swarm: ConfigSwarm): Promise<string> {
  const id = await takeLock(swarm.docker(), "forge");
  await releaseLock(swarm.docker(), "forge");
  const labels = [
    "hephaestus.lock.holder=ann@far",
    "hephaestus.lock.renewed=10",
    "hephaestus.lock.process=boot/1/2/3",
  ];
  const create = ["config", "create", ...labels.flatMap((label) => ["--label", label]), "forge_lock", "-"];
  expect(id).not.toBe("");
  return (await swarm.docker().run(create)).trim();
}

test("is held while its holder sends heartbeats, and free some time after the last one, by the Swarm's clock", async () => {
  const swarm = new ConfigSwarm();
  const id = await takeElsewhere(swarm);
  for (let number = 1; number <= 30; number++) {
    swarm.now += 10_000;
    expect(await beat(swarm.docker(), "forge", id, number)).toBe(true);
    await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.locked);
  }
  swarm.now += (LOCK_SECONDS - 1) * 1000;
  const error = await takeLock(swarm.docker(), "forge").catch((failure: OperatorError) => failure);
  expect((error as OperatorError).message).toMatch(/ann@far, last heartbeat 74 s ago/);
  expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({
    stale: false,
    holder: { holder: "ann@far" },
  });
  swarm.now += 2000;
  expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({ stale: true });
  expect(await takeLock(swarm.docker(), "forge")).not.toBe(id);
  // Nothing of the former holder is left, and no probe.
  expect(swarm.names()).toEqual(["forge_lock"]);
  expect(await beat(swarm.docker(), "forge", id, 31)).toBe(false);
});

test("of two that take over the same lock one gets it", async () => {
  const swarm = new ConfigSwarm();
  await takeElsewhere(swarm);
  swarm.now += (LOCK_SECONDS + 1) * 1000;
  const results = await Promise.all([1, 2].map(() => takeLock(swarm.docker(), "forge").catch(codeOf)));
  expect(results.filter((result) => result === ExitCode.locked)).toHaveLength(1);
});

test("of a version that sent no heartbeats is held until the time that it names", async () => {
  for (const [expires, free] of [
    [Date.now() / 1000 + 100, false],
    [Date.now() / 1000 - 1, true],
  ] as const) {
    const swarm = new ConfigSwarm();
    const labels = ["hephaestus.lock.holder=ann", `hephaestus.lock.expires=${Math.floor(expires)}`];
    const create = ["config", "create", ...labels.flatMap((label) => ["--label", label]), "forge_lock", "-"];
    await swarm.docker().run(create);
    swarm.now += 3600_000;
    const result = await takeLock(swarm.docker(), "forge").catch(codeOf);
    expect(result === ExitCode.locked).toBe(!free);
  }
});

test("is no lock where something else has its name, and that is never removed", async () => {
  const swarm = new ConfigSwarm();
  await swarm.docker().run(["config", "create", "forge_lock", "-"]);
  await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.preflight);
  await expect(releaseLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.preflight);
  expect(await lookAtLock(swarm.docker(), "forge")).toBeUndefined();
  expect(swarm.names()).toEqual(["forge_lock"]);
});

test("of a process of this machine that has ended is free at once; a process id alone says nothing", async () => {
  const identity = processIdentity() ?? "";
  const [boot, namespace, , start] = identity.split("/");
  expect(hasEnded(identity)).toBe(false);
  expect(hasEnded(`${boot}/${namespace}/4194304/${start}`)).toBe(true);
  // The same id, taken by another process since.
  expect(hasEnded(`${boot}/${namespace}/${process.pid}/1`)).toBe(true);
  const other = `${boot?.slice(0, -1)}${boot?.endsWith("0") ? "1" : "0"}`;
  expect(hasEnded(`${other}/${namespace}/4194304/${start}`)).toBe(false);
  expect(hasEnded(`${boot}/1/4194304/${start}`)).toBe(false);
  const swarm = new ConfigSwarm();
  const labels = [
    "hephaestus.lock.holder=ann",
    "hephaestus.lock.renewed=10",
    `hephaestus.lock.process=${boot}/${namespace}/4194304/7`,
  ];
  await swarm
    .docker()
    .run(["config", "create", ...labels.flatMap((label) => ["--label", label]), "forge_lock", "-"]);
  expect(await takeLock(swarm.docker(), "forge")).toMatch(/^id/);
});

test("a holder that stood still and lost its lock runs no further command", async () => {
  vi.useFakeTimers();
  try {
    const swarm = new ConfigSwarm();
    const docker = swarm.docker();
    const work = withLock(docker, swarm.docker(), "forge", async () => {
      await vi.advanceTimersByTimeAsync(25_000);
      expect((await lookAtLock(swarm.docker(), "forge"))?.silence).toBe(0);
      await docker.run(["info"]);
      // It stands still: no timer fires, and the clocks go on.
      vi.setSystemTime(Date.now() + 3600_000);
      swarm.now += 3600_000;
      await releaseLock(swarm.docker(), "forge");
      await docker.run(["info"]);
      throw new Error("it ran on");
    });
    await expect(work.catch(codeOf)).resolves.toBe(ExitCode.locked);
    expect(swarm.names()).toEqual([]);
    // What it frees is never the lock of the next one.
    expect(docker.guard).toBeUndefined();
  } finally {
    vi.useRealTimers();
  }
});

test("an engine that restarts costs nobody the lock", async () => {
  vi.useFakeTimers();
  try {
    const swarm = new ConfigSwarm();
    const id = await takeLock(swarm.docker(), "forge");
    const keeper = new LockKeeper(swarm.docker(), "forge", id);
    keeper.begin();
    swarm.silent = true;
    await vi.advanceTimersByTimeAsync(60_000);
    swarm.silent = false;
    await keeper.check();
    expect(await readLock(swarm.docker(), "forge")).toMatchObject({ id });
    await keeper.end();
    expect(swarm.names()).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test("heartbeats keep the lock for as long as the work takes, one at a time, and end with it", async () => {
  vi.useFakeTimers();
  try {
    const swarm = new ConfigSwarm();
    await withLock(swarm.docker(), swarm.docker(), "forge", async () => {
      for (let beats = 1; beats <= 20; beats++) {
        swarm.now += 10_000;
        await vi.advanceTimersByTimeAsync(10_000);
      }
      expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({ silence: 0, stale: false });
      expect(swarm.names()).toEqual(["forge_lock", expect.stringMatching(/^forge_lock-beat_id0001\w+_20$/)]);
    });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(swarm.names()).toEqual([]);
  } finally {
    vi.useRealTimers();
  }
});

test("who sent a heartbeat a moment ago asks for nothing before a command", async () => {
  const swarm = new ConfigSwarm();
  const id = await takeLock(swarm.docker(), "forge");
  const keeper = new LockKeeper(swarm.docker(), "forge", id);
  await keeper.check();
  vi.useFakeTimers();
  try {
    keeper.begin();
    await vi.advanceTimersByTimeAsync(10_000);
    const before = swarm.names();
    await keeper.check();
    expect(swarm.names()).toEqual(before);
    await keeper.end();
  } finally {
    vi.useRealTimers();
  }
});

/** The same docker, but for what is answered otherwise. */
const except = (docker: Docker, other: (args: readonly string[]) => CommandResult | undefined): Docker => ({
  ...docker,
  attempt: async (args, options) => other(args) ?? docker.attempt(args, options),
});
const refusal = (stderr: string): CommandResult => ({ exitCode: 1, stdout: "", stderr });

test("an engine that refuses or does not answer is neither a held lock, nor a free one, nor a lost one", async () => {
  const swarm = new ConfigSwarm();
  const readOnly = except(swarm.docker(), ([, verb]) =>
    verb === "create" ? refusal("permission denied") : undefined,
  );
  await expect(takeLock(readOnly, "forge")).rejects.toThrow("permission denied");
  const id = await takeLock(swarm.docker(), "forge");
  const mute = except(swarm.docker(), ([, verb]) => (verb === "inspect" ? refusal("no answer") : undefined));
  await expect(beat(mute, "forge", id, 1)).rejects.toThrow("no answer");
  await expect(readLock(mute, "forge")).rejects.toThrow("no answer");
});

test("a lock that is freed while somebody asks for it is taken", async () => {
  const swarm = new ConfigSwarm();
  let held = true;
  const docker = except(swarm.docker(), ([, verb]) => {
    if (verb !== "create" || !held) return undefined;
    held = false;
    return refusal("config forge_lock already exists");
  });
  expect(await takeLock(docker, "forge")).toMatch(/^id/);
});

test("jobs that a killed holder left are ended before the work begins", async () => {
  const commands: string[] = [];
  const docker = except(new ConfigSwarm().docker(), (args) => {
    commands.push(args.join(" "));
    const names = "forge_job-gc\nforge_job-x_other\nother_job-gc";
    return args[0] === "service" && args[1] === "ls" ? { exitCode: 0, stdout: names, stderr: "" } : undefined;
  });
  docker.run = async (args) => (await docker.attempt(args)).stdout;
  await withLock(docker, docker, "forge", async () => void commands.push("work"));
  const told = commands.filter((command) => /^(?:service rm|work)/.test(command));
  expect(told).toEqual(["service rm forge_job-gc", "service rm forge_job-x_other", "work"]);
});

test("deploy.sh has the same numbers", () => {
  const script = readFileSync(new URL("../../ops-scripts/deploy.sh", import.meta.url), "utf8");
  expect(script).toContain(`lock_seconds=${LOCK_SECONDS}`);
});

test("a heartbeat that outlived its lock is removed by the next holder", async () => {
  const swarm = new ConfigSwarm();
  const docker = swarm.docker();
  const dead = await takeLock(docker, "forge");
  await beat(docker, "forge", dead, 1);
  for (const stack of ["forge-two", "a-forge"]) await beat(docker, stack, dead, 1);
  // Killed after the lock was removed, and before its heartbeat was.
  await docker.run(["config", "rm", dead]);

  const next = await takeLock(docker, "forge");
  expect(swarm.names().map((name) => name.replace(/-beat.*/, ""))).toEqual([
    "a-forge_lock",
    "forge-two_lock",
    "forge_lock",
  ]);
  await beat(docker, "forge", next, 1);
  await docker.run(["config", "rm", next]);
  // Nobody holds the lock, but its heartbeat is there.
  expect(await releaseLock(docker, "forge")).toBeUndefined();
  expect(swarm.names().map((name) => name.replace(/_.*/, ""))).toEqual(["a-forge", "forge-two"]);
});
