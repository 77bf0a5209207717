import { hostname, userInfo } from "node:os";
import { ExitCode, OperatorError } from "../errors.js";
import { type Docker, dockerFailed } from "./docker.js";
import { endLeftJobs } from "./job.js";
import { LABELS } from "./secrets.js";

/**
 * One deploy of a stack at a time, wherever it runs from: a Swarm config whose name is unique in the Swarm is the
 * lock. ops-scripts/deploy.sh takes the same one.
 */
const LOCK_LABELS = {
  holder: "hephaestus.lock.holder",
  host: "hephaestus.lock.host",
  pid: "hephaestus.lock.pid",
  /** Seconds since the epoch; a lock of a machine that died is free then. */
  expires: "hephaestus.lock.expires",
} as const;

export const lockName = (stack: string): string => `${stack}_lock`;

export interface LockHolder {
  holder: string;
  host: string;
  pid: number;
  expires: number;
}

export function createLock(stack: string, { holder, host, pid, expires }: LockHolder): string[] {
  const labels = [
    `${LABELS.stack}=${stack}`,
    `${LOCK_LABELS.holder}=${holder}`,
    `${LOCK_LABELS.host}=${host}`,
    `${LOCK_LABELS.pid}=${pid}`,
    `${LOCK_LABELS.expires}=${expires}`,
  ];
  return ["config", "create", ...labels.flatMap((label) => ["--label", label]), lockName(stack), "-"];
}

/**
 * Takes the lock.
 *
 * @param seconds how long the work may take at most
 * @returns the lock's id, for freeLock
 * @throws OperatorError when somebody else works on the stack
 */
export async function takeLock(docker: Docker, stack: string, seconds: number): Promise<string> {
  const self: LockHolder = {
    holder: `${operator()} (process ${process.pid})`,
    host: hostname(),
    pid: process.pid,
    expires: Math.floor(Date.now() / 1000) + seconds,
  };
  const create = createLock(stack, self);
  for (let attempts = 0; attempts < 3; attempts++) {
    const created = await docker.attempt(create, { input: "hephaestus\n" });
    if (created.exitCode === 0) return created.stdout.trim();
    if (!/already exists/i.test(created.stderr)) throw dockerFailed(create, created);
    const holder = await readLock(docker, stack);
    // It may have been freed between the two calls.
    if (holder === undefined) continue;
    if (!isStale(holder)) throw locked(stack, holder.holder);
    await freeLock(docker, holder.id);
  }
  throw locked(stack, "somebody else");
}

/**
 * Works while nobody else works on the stack. Jobs that a holder left behind who was killed are ended first.
 *
 * @param seconds how long the work may take at most
 * @param cleanupDocker a docker that still works after an interruption, to free the lock
 * @throws OperatorError when somebody else works on the stack
 */
export async function withLock<T>(
  docker: Docker,
  cleanupDocker: Docker,
  stack: string,
  seconds: number,
  work: () => Promise<T>,
): Promise<T> {
  const lock = await takeLock(docker, stack, seconds);
  try {
    await endLeftJobs(docker, stack);
    return await work();
  } finally {
    await freeLock(cleanupDocker, lock);
  }
}

/** Frees a lock by its id, so that nobody else's is ever removed. */
export async function freeLock(docker: Docker, id: string): Promise<void> {
  await docker.attempt(["config", "rm", id]);
}

/** Who holds the stack's lock; undefined where nobody does. */
export async function readLock(
  docker: Docker,
  stack: string,
): Promise<(LockHolder & { id: string }) | undefined> {
  const { exitCode, stdout } = await docker.attempt([
    "config",
    "inspect",
    "--format",
    "{{json .}}",
    lockName(stack),
  ]);
  if (exitCode !== 0) return undefined;
  const { ID, Spec } = JSON.parse(stdout) as { ID: string; Spec: { Labels?: Record<string, string> } };
  const labels = Spec.Labels ?? {};
  return {
    id: ID,
    holder: labels[LOCK_LABELS.holder] ?? "unknown",
    host: labels[LOCK_LABELS.host] ?? "",
    pid: Number(labels[LOCK_LABELS.pid] ?? 0),
    expires: Number(labels[LOCK_LABELS.expires] ?? 0),
  };
}

/** A lock is stale when its time is over, or when its process on this machine is gone. */
export function isStale({ host, pid, expires }: LockHolder): boolean {
  return expires < Date.now() / 1000 || (host === hostname() && !isAlive(pid));
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM";
  }
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

const locked = (stack: string, holder: string) =>
  new OperatorError(`another deploy of ${stack} is running: ${holder}`, {
    remedy: `Wait for it to end. If it died on a machine that is gone: docker config rm ${lockName(stack)}`,
    exitCode: ExitCode.locked,
  });
