import { syncBuiltinESMExports } from "node:module";
import timers from "node:timers/promises";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { Secret } from "../../src/credentials/secret.js";
import { engineRemove } from "../../src/docker/engineApi.js";
import { interrupted } from "../../src/docker/failures.js";
import { factsOf } from "../../src/doctor/facts.js";
import { ExitCode, type OperatorError } from "../../src/errors.js";
import { whileReadOnly } from "../../src/maintenance/lease.js";
import { digestOf } from "../../src/registry/digest.js";
import { stackRegistry } from "../../src/registry/stackRegistry.js";
import { handOver } from "../../src/secrets/handover.js";
import type { SecretsPlan } from "../../src/secrets/secretsPlan.js";
import { type Session, uninterruptible } from "../../src/session.js";
import { createConfig } from "../../src/swarm/configs.js";
import { keepLock } from "../../src/swarm/lock/lockKeeper.js";
import { BEAT_SECONDS, LOCK_SECONDS, readLock, renewLock } from "../../src/swarm/lock/lockObjects.js";
import { hasEnded, processIdentity } from "../../src/swarm/lock/processIdentity.js";
import { lookAtLock, releaseLock, takeLock, withLock } from "../../src/swarm/lock/stackLock.js";
import { waitForConvergence } from "../../src/swarm/stackUpdate.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";
import { named, task } from "./swarmObjects.js";

// Whoever waits lets the time pass. Test files share their modules, so a mock of the module would stay.
beforeEach(() => {
  vi.useFakeTimers();
  const pass = async (milliseconds?: number) => void (await vi.advanceTimersByTimeAsync(milliseconds ?? 0));
  vi.spyOn(timers, "setTimeout").mockImplementation(pass as typeof timers.setTimeout);
  syncBuiltinESMExports();
});
afterEach(() => {
  vi.restoreAllMocks();
  vi.useRealTimers();
  syncBuiltinESMExports();
});

const codeOf = (error: OperatorError) => error.exitCode;

/** Takes the lock of the stack forge for somebody else. */
async function takeFor(swarm: FakeEngine, facts: Record<string, string | number>): Promise<string> {
  const labels = Object.entries(facts).map(([name, value]) => [`hephaestus.lock.${name}`, String(value)]);
  const lock = { name: "forge_lock", labels: Object.fromEntries(labels), content: "hephaestus" };
  return (await createConfig(swarm.docker(), lock)) ?? "";
}

/** Takes the lock for a process that is not known here, as one on another machine. */
const takeElsewhere = (swarm: FakeEngine): Promise<string> =>
  takeFor(swarm, { holder: "ann@far", seconds: LOCK_SECONDS, process: "boot/1/2/3" });

test("is held while its holder sends heartbeats, and free some time after the last one, by the Swarm's clock", async () => {
  const swarm = new FakeEngine();
  const id = await takeElsewhere(swarm);
  for (let number = 1; number <= 30; number++) {
    swarm.now += 10_000;
    expect(await renewLock(swarm.docker(), id)).toBe(true);
    await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.locked);
  }
  swarm.now += (LOCK_SECONDS - 1) * 1000;
  const error = await takeLock(swarm.docker(), "forge").catch((failure: OperatorError) => failure);
  expect((error as OperatorError).message).toMatch(/ann@far, last heartbeat 74 s ago/);
  expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({
    stale: false,
    holder: "ann@far",
  });
  swarm.now += 2000;
  expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({ stale: true });
  expect(await takeLock(swarm.docker(), "forge")).not.toBe(id);
  expect(swarm.names("configs")).toEqual(["forge_lock"]);
  // What the former holder finds out.
  expect(await renewLock(swarm.docker(), id)).toBe(false);
});

test("of two that take over the same lock one gets it", async () => {
  const swarm = new FakeEngine();
  await takeElsewhere(swarm);
  swarm.now += (LOCK_SECONDS + 1) * 1000;
  const results = await Promise.all([1, 2].map(() => takeLock(swarm.docker(), "forge").catch(codeOf)));
  expect(results.filter((result) => result === ExitCode.locked)).toHaveLength(1);
});

test("of deploy.sh, which sends no heartbeats, is held for as long as it says", async () => {
  const swarm = new FakeEngine();
  await takeFor(swarm, { holder: "ann@far", seconds: 420 });
  swarm.now += 419_000;
  await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.locked);
  swarm.now += 2000;
  expect(await takeLock(swarm.docker(), "forge")).toMatch(/^id/);
  // That it stays as it is says nothing about its holder.
  await releaseLock(swarm.docker(), "forge");
  swarm.ahead = 7200_000;
  await takeFor(swarm, { holder: "ann@far", seconds: 420 });
  await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.locked);
});

/** Two hours: no two clocks of a Swarm differ as much by mistake alone. */
const SKEWS = [["ahead of", 7200_000] as const, ["behind", -7200_000] as const];

test.each(
  SKEWS,
)("is never taken while it is kept, though the leader's clock is far %s the other manager's", async (_, ahead) => {
  const swarm = new FakeEngine();
  swarm.ahead = ahead;
  const kept = keepLock(swarm.docker(), "forge", await takeElsewhere(swarm));
  await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.locked);
  await kept.check();
  await kept.end();
});

test.each(
  SKEWS,
)("is taken after two missing heartbeats, though the leader's clock is far %s the other manager's", async (_, ahead) => {
  const swarm = new FakeEngine();
  swarm.ahead = ahead;
  const id = await takeElsewhere(swarm);
  const began = performance.now();
  expect(await takeLock(swarm.docker(), "forge")).not.toBe(id);
  expect(performance.now() - began).toBeGreaterThan(2 * BEAT_SECONDS * 1000);
});

test.each(
  SKEWS,
)("is judged by doctor as by who would take it, though the leader's clock is far %s the other manager's", async (_, ahead) => {
  const swarm = new FakeEngine();
  swarm.ahead = ahead;
  const { config } = loadConfig("domain: a.example\nstack: forge", "f", {});
  const { signal } = new AbortController();
  const look = () =>
    factsOf({ config, warnings: [], files: [], folder: ".", docker: swarm.docker(), signal });
  const kept = keepLock(swarm.docker(), "forge", await takeElsewhere(swarm));
  expect(await look().isLocked()).toBe(true);
  await kept.end();
  await takeElsewhere(swarm);
  expect(await look().isLocked()).toBe(false);
  expect(await look().lock()).toMatchObject({ stale: true });
});

test("that was taken by another process while it was watched is not removed", async () => {
  const swarm = new FakeEngine();
  await takeElsewhere(swarm);
  swarm.now += (LOCK_SECONDS + 1) * 1000;
  const results = takeLock(swarm.docker(), "forge").catch(codeOf);
  setTimeout(async () => {
    await releaseLock(swarm.docker(), "forge");
    await takeElsewhere(swarm);
  }, 5000);
  expect(await results).toBe(ExitCode.locked);
  expect(swarm.names("configs")).toEqual(["forge_lock"]);
});

test("is no lock where something else has its name, and that is never removed", async () => {
  const swarm = new FakeEngine();
  await createConfig(swarm.docker(), { name: "forge_lock", labels: {}, content: "a file" });
  await expect(takeLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.preflight);
  await expect(releaseLock(swarm.docker(), "forge").catch(codeOf)).resolves.toBe(ExitCode.preflight);
  expect(await lookAtLock(swarm.docker(), "forge")).toBeUndefined();
  expect(swarm.names("configs")).toEqual(["forge_lock"]);
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
  // Where /proc hides the processes of other users, a signal still tells that there is one.
  const refused = (code: string) => () => {
    throw Object.assign(new Error(code), { code });
  };
  const kill = vi.spyOn(process, "kill").mockImplementation(refused("EPERM"));
  expect(hasEnded(`${boot}/${namespace}/4194304/${start}`)).toBe(false);
  kill.mockImplementation(() => true);
  expect(hasEnded(`${boot}/${namespace}/4194304/${start}`)).toBe(false);
  kill.mockRestore();
  const swarm = new FakeEngine();
  await takeFor(swarm, {
    holder: "ann",
    seconds: LOCK_SECONDS,
    process: `${boot}/${namespace}/4194304/7`,
  });
  expect(await takeLock(swarm.docker(), "forge")).toMatch(/^id/);
});

/** A session on the stack forge, and what its dockers were told. */
function sessionOn(swarm: FakeEngine): { session: Session; told: string[] } {
  const told: string[] = [];
  const docker = () => swarm.docker((call) => told.push(call));
  const { config } = loadConfig("domain: example.com\nstack: forge", "a config", {});
  const reporter = { begin: () => {}, end: () => {}, note: () => {}, progress: () => {} };
  const dockers = { docker: docker(), cleanupDocker: docker(), lockDocker: docker() };
  return { session: { config, reporter, ...dockers } as unknown as Session, told };
}

/** The process stands still: no timer fires, and the clocks go on. */
function standStill(swarm: FakeEngine, seconds: number): void {
  vi.setSystemTime(Date.now() + seconds * 1000);
  swarm.now += seconds * 1000;
}

const generated = {
  change: { login: { user: "ann", password: new Secret("secret"), origin: "generated" } },
  generations: { users: 2 },
} as unknown as SecretsPlan;
const waiting = { goal: "forward", since: "", timeoutSeconds: 300, onProgress: () => {} } as const;
const IMAGE = { digest: digestOf(Buffer.of()), mediaType: "application/json", bytes: Buffer.of() };
const lease = { until: 4e9, drainSeconds: 1 };

test.each<[string, (session: Session, shown: string[]) => Promise<unknown>]>([
  ["runs no command", ({ docker }) => docker.run(["info"])],
  ["cleans nothing up", ({ cleanupDocker }) => engineRemove(cleanupDocker, "/services/forge_job-gc")],
  ["leaves the registry read-only", (session) => whileReadOnly(session, lease, async () => {})],
  ["waits for nothing", ({ docker, config }) => waitForConvergence(docker, config, waiting)],
  ["deletes no image", (session) => stackRegistry(session, undefined).remove("a/app", IMAGE.digest)],
  ["pushes no image", (session) => stackRegistry(session, undefined).putManifest("a/app", "1", IMAGE)],
  [
    "pushes no layer",
    (session) =>
      stackRegistry(session, undefined).putBlob("a/app", IMAGE.digest, undefined, () => new ReadableStream()),
  ],
  [
    "shows no password",
    (session, shown) => handOver(session, generated, async (user) => void shown.push(user)),
  ],
])("a holder that stood still and lost its lock %s", async (_, goOn) => {
  const swarm = new FakeEngine();
  const { session, told } = sessionOn(swarm);
  const shown: string[] = [];
  const fetched = vi.spyOn(globalThis, "fetch").mockRejectedValue(new Error("no network"));
  let lostAt = 0;
  const work = withLock(session, "forge", async () => {
    await vi.advanceTimersByTimeAsync(25_000);
    expect((await lookAtLock(swarm.docker(), "forge"))?.silence).toBe(0);
    await session.docker.run(["info"]);
    standStill(swarm, 3600);
    await releaseLock(swarm.docker(), "forge");
    told.length = 0;
    lostAt = performance.now();
    await goOn(session, shown);
    throw new Error("it ran on");
  });
  await expect(work.catch(codeOf)).resolves.toBe(ExitCode.locked);
  expect(performance.now()).toBe(lostAt);
  expect(shown).toEqual([]);
  expect(fetched).not.toHaveBeenCalled();
  // It asks for its lock, and frees it by an id that nobody else has.
  expect(told.filter((command) => !/^(?:GET|DELETE) \/configs\/id0001x+$/.test(command))).toEqual([]);
  expect(swarm.names("configs")).toEqual([]);
  expect([session.docker.guard, session.cleanupDocker.guard]).toEqual([undefined, undefined]);
});

test("Ctrl-C leaves no lock, not even in the moment in which it is taken", async () => {
  const swarm = new FakeEngine();
  const { session } = sessionOn(swarm);
  const { ask } = session.docker;
  session.docker.ask = async (request) => {
    await ask(request);
    throw interrupted();
  };
  const work = vi.fn();
  await expect(withLock(session, "forge", work).catch(codeOf)).resolves.toBe(ExitCode.interrupted);
  expect(work).not.toHaveBeenCalled();
  expect(swarm.requests).toContain("POST /configs/create");
  expect(swarm.names("configs")).toEqual([]);
});

test("a heartbeat never waits for itself, whichever docker the work has", async () => {
  const swarm = new FakeEngine();
  const { session, told } = sessionOn(swarm);
  const work = uninterruptible(session);
  await withLock(work, "forge", async () => {
    standStill(swarm, 60);
    told.length = 0;
    await work.docker.run(["info"]);
    const lock = `/configs/${"id0001".padEnd(25, "x")}`;
    expect(told).toEqual([`GET ${lock}`, `POST ${lock}/update`, "info"]);
  });
});

test("an engine that restarts costs nobody the lock", async () => {
  const swarm = new FakeEngine();
  const id = await takeLock(swarm.docker(), "forge");
  const kept = keepLock(swarm.docker(), "forge", id);
  swarm.silent = true;
  await vi.advanceTimersByTimeAsync(60_000);
  swarm.silent = false;
  await kept.check();
  expect(await readLock(swarm.docker(), "forge")).toMatchObject({ id });
  await kept.end();
  expect(swarm.names("configs")).toEqual([]);
});

test("who cannot renew the lock until it has expired stops, and goes on when the engine answers again", async () => {
  const swarm = new FakeEngine();
  const kept = keepLock(swarm.docker(), "forge", await takeLock(swarm.docker(), "forge"));
  swarm.silent = true;
  await vi.advanceTimersByTimeAsync((LOCK_SECONDS + 1) * 1000);
  const error = await kept.check().catch((failure: OperatorError) => failure);
  expect(error).toMatchObject({
    exitCode: ExitCode.locked,
    message: expect.stringMatching(/76 s.*no answer/),
  });
  swarm.silent = false;
  await kept.check();
  await kept.end();
});

test("who sent no heartbeat for as long as others watch a lock asks before the next command", async () => {
  const swarm = new FakeEngine();
  const kept = keepLock(swarm.docker(), "forge", await takeLock(swarm.docker(), "forge"));
  standStill(swarm, 2 * BEAT_SECONDS + 1);
  await releaseLock(swarm.docker(), "forge");
  await expect(kept.check().catch(codeOf)).resolves.toBe(ExitCode.locked);
  await kept.end();
});

test("who stood still while a heartbeat was answered asks again", async () => {
  const swarm = new FakeEngine();
  let stands = true;
  const docker = swarm.docker((call) => {
    if (!call.endsWith("/update") || !stands) return;
    stands = false;
    standStill(swarm, 3600);
    void releaseLock(swarm.docker(), "forge");
  });
  const kept = keepLock(docker, "forge", await takeLock(swarm.docker(), "forge"));
  await vi.advanceTimersByTimeAsync(BEAT_SECONDS * 1000);
  await expect(kept.check().catch(codeOf)).resolves.toBe(ExitCode.locked);
  await kept.end();
});

test("heartbeats keep the lock for as long as the work takes, one at a time, and end with it", async () => {
  const swarm = new FakeEngine();
  let asked = 0;
  const counting = swarm.docker(() => asked++);
  const dockers = { docker: swarm.docker(), cleanupDocker: swarm.docker(), lockDocker: counting };
  await withLock(dockers, "forge", async () => {
    for (let beats = 1; beats <= 20; beats++) {
      swarm.now += 10_000;
      await vi.advanceTimersByTimeAsync(10_000);
    }
    expect(await lookAtLock(swarm.docker(), "forge")).toMatchObject({ silence: 0, stale: false });
    expect(swarm.names("configs")).toEqual(["forge_lock"]);
  });
  expect(swarm.names("configs")).toEqual([]);
  const before = asked;
  await vi.advanceTimersByTimeAsync(60_000);
  expect(asked).toBe(before);
});

test("who sent a heartbeat a moment ago asks for nothing before a command", async () => {
  const swarm = new FakeEngine();
  const kept = keepLock(swarm.docker(), "forge", await takeLock(swarm.docker(), "forge"));
  await vi.advanceTimersByTimeAsync(60_000);
  const { renewed } = (await readLock(swarm.docker(), "forge")) ?? {};
  swarm.now += 1000;
  await kept.check();
  expect(await readLock(swarm.docker(), "forge")).toMatchObject({ renewed });
  await kept.end();
});

test("an engine that refuses or does not answer is neither a held lock, nor a free one, nor a lost one", async () => {
  const swarm = new FakeEngine();
  const docker = swarm.docker();
  swarm.trouble = (asked) => (asked.endsWith("/create") ? refused(403, "permission denied") : undefined);
  await expect(takeLock(docker, "forge")).rejects.toThrow("permission denied");
  swarm.trouble = () => undefined;
  const id = await takeLock(docker, "forge");
  swarm.silent = true;
  await expect(renewLock(docker, id)).rejects.toThrow("no answer");
  await expect(readLock(docker, "forge")).rejects.toThrow("no answer");
});

test("a lock that is freed while somebody asks for it is taken", async () => {
  const swarm = new FakeEngine();
  let held = true;
  swarm.trouble = (asked) => {
    if (!asked.endsWith("/create") || !held) return undefined;
    held = false;
    return refused(409, "config forge_lock already exists");
  };
  expect(await takeLock(swarm.docker(), "forge")).toMatch(/^id/);
});

test("jobs that a killed holder left are ended before the work begins", async () => {
  const names = ["forge_job-gc", "forge_job-x_other", "other_job-gc", "forge_web"];
  const swarm = new FakeEngine({
    services: names.map((name) => named(name, { "hephaestus.stack": "forge" })),
    tasks: [task("running", { ID: "t1", ServiceID: "forge_job-gc" })],
  });
  const calls: string[] = [];
  const docker = swarm.docker((call) => {
    calls.push(call);
    // The Swarm forgets the task when its container has ended.
    if (calls.filter((one) => one === "GET /tasks").length === 3) swarm.objects.tasks = [];
  });
  await withLock(
    { docker, cleanupDocker: docker, lockDocker: docker },
    "forge",
    async () => void calls.push("work"),
  );
  const told = calls.filter((call) => /^(?:DELETE \/services|work)/.test(call));
  expect(told).toEqual(["DELETE /services/forge_job-gc", "DELETE /services/forge_job-x_other", "work"]);
});
