import { hostname, userInfo } from "node:os";
import { endLeftJobs } from "../docker/jobs.js";
import { type Docker, dockerFailed } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { LockKeeper } from "./lockKeeper.js";
import {
  createLock,
  freeLock,
  type Holder,
  isExpired,
  LOCK_SECONDS,
  lastSign,
  lockName,
  readLock,
  removeBeats,
  swarmTime,
} from "./lockObjects.js";
import { hasEnded, processIdentity } from "./processIdentity.js";
import { engineTime } from "./stackUpdate.js";

/**
 * One operation on a stack at a time, from whatever machine. ops-scripts/deploy.sh uses the same lock:
 *
 * - The lock is a Swarm config, whose name is unique in the Swarm.
 * - While the operation runs, its holder sends heartbeats every few seconds: another config, since a config cannot be changed.
 * - The lock expires LOCK_SECONDS after the last heartbeat. Both times come from the clock of the Swarm.
 * - A holder that was suspended checks its lock before the next docker command, and stops if it lost it.
 */

/**
 * Takes the lock.
 *
 * @returns the lock's id, for freeLock
 * @throws OperatorError when another operation works on the stack
 */
export async function takeLock(docker: Docker, stack: string): Promise<string> {
  const create = createLock(stack, {
    holder: `${operator()} (process ${process.pid})`,
    host: hostname(),
    pid: process.pid,
    process: processIdentity(),
  });
  for (let attempts = 0; attempts < 3; attempts++) {
    const created = await docker.attempt(create, { input: "hephaestus\n" });
    if (created.exitCode === 0) {
      // Those of holders that were killed; this one has sent none yet.
      await removeBeats(docker, stack);
      return created.stdout.trim();
    }
    if (!/already exists/i.test(created.stderr)) throw dockerFailed(create, created);
    const holder = await readLock(docker, stack);
    // It may have been freed between the two calls.
    if (holder === undefined) continue;
    if (!holder.isOurs) throw foreign(stack);
    const silence = await secondsOfSilence(docker, stack, holder);
    if (!isStale(holder, silence)) throw locked(stack, holder, silence);
    await freeLock(docker, stack, holder.id);
  }
  throw locked(stack, undefined, 0);
}

/** Seconds since the last heartbeat of a lock's holder, by the clock of the Swarm. */
async function secondsOfSilence(docker: Docker, stack: string, holder: Holder): Promise<number> {
  const last = await lastSign(docker, stack, holder);
  return ((await swarmTime(docker, stack)) - last) / 1000;
}

/**
 * Whether an existing lock is stale: its holder was a process of this machine that has ended, or its heartbeats stopped. A lock of
 * a version without heartbeats is stale when its time is over.
 */
const isStale = (holder: Holder, silence: number): boolean =>
  (holder.process !== undefined && hasEnded(holder.process)) ||
  (holder.renewed ? silence > LOCK_SECONDS : isExpired(holder));

/**
 * Runs an operation under the lock of the stack. Jobs that a killed holder left behind are ended first.
 *
 * @param cleanupDocker a docker that still works after an interruption, to keep and free the lock
 * @throws OperatorError when another operation works on the stack, or took the lock over while this one was suspended
 */
export async function withLock<T>(
  docker: Docker,
  cleanupDocker: Docker,
  stack: string,
  work: () => Promise<T>,
): Promise<T> {
  const keeper = new LockKeeper(cleanupDocker, stack, await takeLock(docker, stack));
  docker.guard = () => keeper.check();
  keeper.begin();
  try {
    await endLeftJobs(docker, stack);
    return await work();
  } finally {
    docker.guard = undefined;
    await keeper.end();
  }
}

/**
 * Releases a lock, even if another operation holds it.
 *
 * @returns the holder that it was taken from; undefined where there was none
 */
export async function releaseLock(docker: Docker, stack: string): Promise<Holder | undefined> {
  const holder = await readLock(docker, stack);
  if (holder && !holder.isOurs) throw foreign(stack);
  if (holder) await freeLock(docker, stack, holder.id);
  await removeBeats(docker, stack);
  return holder;
}

/** The state of a lock. */
export interface LockState {
  holder: Holder;
  /** Seconds since the last heartbeat of its holder. */
  silence: number;
  stale: boolean;
}

/** Reads the lock of a stack without changing anything. The time is that of the engine. */
export async function lookAtLock(docker: Docker, stack: string): Promise<LockState | undefined> {
  const holder = await readLock(docker, stack);
  if (!holder?.isOurs) return undefined;
  const now = Date.parse(await engineTime(docker));
  const silence = Math.max(0, (now - (await lastSign(docker, stack, holder))) / 1000);
  return { holder, silence, stale: isStale(holder, silence) };
}

/** Who runs this: user@host. */
export const operator = (): string => `${userName()}@${hostname()}`;

function userName(): string {
  try {
    return userInfo().username;
  } catch {
    // A uid without an entry in passwd, as in containers.
    return String(process.getuid?.() ?? "unknown");
  }
}

const foreign = (stack: string): OperatorError =>
  new OperatorError("a config that is not a lock has this name", {
    where: lockName(stack),
    remedy:
      "See what it is with: docker config inspect. Set another stack name in hephaestus.yaml, or remove that config.",
    exitCode: ExitCode.preflight,
  });

function locked(stack: string, holder: Holder | undefined, silence: number): OperatorError {
  const seen = holder?.renewed ? `, last heartbeat ${Math.max(0, Math.round(silence))} s ago` : "";
  return new OperatorError(
    `another operation on ${stack} is running: ${holder?.holder ?? "unknown"}${seen}`,
    {
      remedy: holder?.renewed
        ? `Wait for it to end. The lock expires ${LOCK_SECONDS} s after the last heartbeat. See: hephaestus lock`
        : "Wait for it to end. If it has ended, release its lock with: hephaestus lock release",
      exitCode: ExitCode.locked,
    },
  );
}
