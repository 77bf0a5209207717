import { hostname, userInfo } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import type { Docker, Dockers } from "../../docker/run.js";
import { ExitCode, OperatorError } from "../../errors.js";
import { createConfig } from "../configs.js";
import { engineTime } from "../engine.js";
import { endLeftJobs } from "../jobs.js";
import { keepLock } from "./lockKeeper.js";
import {
  BEAT_SECONDS,
  freeLock,
  LOCK_SECONDS,
  type Lock,
  lockConfig,
  lockName,
  readLock,
} from "./lockObjects.js";
import { hasEnded, processIdentity } from "./processIdentity.js";

/**
 * One operation on a stack at a time, from whatever machine:
 *
 * - The lock is a Swarm config, whose name is unique in the Swarm.
 * - While the operation runs, its holder sends a heartbeat every few seconds, which updates the config.
 * - The lock looks dead as many seconds after the last heartbeat as it says. Both times come from the Swarm,
 *   so the clock of
 *   an operator's machine may be wrong.
 * - The leader dates the heartbeat, and another manager may tell the time. So a lock that looks dead is taken
 *   over only if it
 *   is then seen without a heartbeat for longer than two were due. This process measures that by a clock that nobody sets.
 * - A lock whose holder was a process of this machine that has ended is free at once.
 * - A holder that was suspended checks its lock before the next docker command, and changes nothing more if
 *   it lost it.
 *
 * ops-scripts/deploy.sh takes the same lock. It sends no heartbeats, and its lock says how long the script
 * may take, with a margin for clocks that differ.
 */

/**
 * Takes the lock.
 *
 * @param creator creates it: one that works after an interruption, since who is interrupted never hears of a
 * lock to free
 * @returns the lock's id, for freeLock
 * @throws OperatorError when another operation works on the stack
 */
export async function takeLock(docker: Docker, stack: string, creator = docker): Promise<string> {
  const config = lockConfig(stack, {
    holder: `${operator()} (process ${process.pid})`,
    host: hostname(),
    process: processIdentity(),
  });
  for (let attempts = 0; attempts < 3; attempts++) {
    const id = await createConfig(creator, config);
    if (id !== undefined) return id;
    const lock = await readLock(docker, stack);
    // It may have been freed between the two calls.
    if (lock === undefined) continue;
    if (!lock.isOurs) throw foreign(stack);
    const state = await stateOf(docker, lock);
    if (!(await isDead(docker, stack, state))) throw locked(stack, state);
    await freeLock(docker, lock.id);
  }
  throw locked(stack, undefined);
}

/** A lock, and how it is now. */
export interface LockState extends Lock {
  /** Seconds since the last heartbeat of its holder. */
  silence: number;
  /** Whether it looks dead: its holder was a process of this machine that has ended, or the clocks say so. */
  stale: boolean;
}

async function stateOf(docker: Docker, lock: Lock): Promise<LockState> {
  const now = Date.parse(await engineTime(docker));
  const silence = (now - lock.renewed.getTime()) / 1000;
  // One clock is wrong, so that the other would say too late that the heartbeats stopped. deploy.sh sends
  // none.
  const isAhead = lock.seconds <= LOCK_SECONDS && silence < -LOCK_SECONDS;
  const stale = hasHolderEnded(lock) || silence > lock.seconds || isAhead;
  return { ...lock, silence: Math.max(0, silence), stale };
}

const hasHolderEnded = ({ process }: Lock): boolean => process !== undefined && hasEnded(process);

/** Seconds for which a lock that looks dead is watched. */
const WATCH_SECONDS = 2.5 * BEAT_SECONDS;

/** Whether a lock that looks dead is dead: watches it, unless its holder has ended for certain. */
export async function isDead(docker: Docker, stack: string, lock: LockState): Promise<boolean> {
  if (!lock.stale || hasHolderEnded(lock)) return lock.stale;
  const end = performance.now() + WATCH_SECONDS * 1000;
  for (; performance.now() < end; await sleep(1000)) {
    if ((await readLock(docker, stack))?.version !== lock.version) return false;
  }
  return true;
}

/** Reads the lock of a stack without changing anything. */
export async function lookAtLock(docker: Docker, stack: string): Promise<LockState | undefined> {
  const lock = await readLock(docker, stack);
  return lock?.isOurs ? stateOf(docker, lock) : undefined;
}

/**
 * Runs an operation under the lock of the stack. Jobs that a killed holder left behind are ended first.
 *
 * @throws OperatorError when another operation works on the stack, or took the lock over while this one was
 * suspended
 */
export async function withLock<T>(
  { docker, cleanupDocker, lockDocker }: Dockers,
  stack: string,
  work: () => Promise<T>,
): Promise<T> {
  const kept = keepLock(lockDocker, stack, await takeLock(docker, stack, lockDocker));
  for (const guarded of [docker, cleanupDocker]) guarded.guard = kept.check;
  try {
    await endLeftJobs(docker, stack);
    return await work();
  } finally {
    for (const guarded of [docker, cleanupDocker]) guarded.guard = undefined;
    await kept.end();
  }
}

/**
 * Releases a lock, even if another operation holds it.
 *
 * @returns the lock that was released; undefined if there was none
 */
export async function releaseLock(docker: Docker, stack: string): Promise<Lock | undefined> {
  const lock = await readLock(docker, stack);
  if (lock && !lock.isOurs) throw foreign(stack);
  if (lock) await freeLock(docker, lock.id);
  return lock;
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

const locked = (stack: string, state: LockState | undefined): OperatorError =>
  new OperatorError(`another operation on ${stack} is running: ${state ? describeLock(state) : "unknown"}`, {
    remedy: `Wait for it to end. ${state ? `${expiryOf(state)} ` : ""}See: hephaestus lock`,
    exitCode: ExitCode.locked,
  });

/** "ann@forge (process 7), last heartbeat 12 s ago" */
export const describeLock = ({ holder, silence }: LockState): string =>
  `${holder}, last heartbeat ${Math.round(silence)} s ago`;

/** When a lock is free, as a sentence. */
export const expiryOf = ({ seconds }: Lock): string =>
  `The lock expires ${seconds} s after the last heartbeat.`;
