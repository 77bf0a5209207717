import { enginePost } from "../../docker/engineApi.js";
import type { Docker } from "../../docker/run.js";
import { findConfig, type NewConfig, NO_CONTENT, removeConfig } from "../configs.js";
import { LABELS } from "../secrets.js";

/**
 * The Swarm config that is a stack's lock. Its name is unique in the Swarm, and the update of a label renews
 * it.
 */

const LOCK_LABELS = {
  holder: "hephaestus.lock.holder",
  host: "hephaestus.lock.host",
  /** What processIdentity returned. */
  process: "hephaestus.lock.process",
  /** Seconds after the last heartbeat until the lock is free. */
  seconds: "hephaestus.lock.seconds",
} as const;

/** Seconds between two heartbeats. */
export const BEAT_SECONDS = 10;

/**
 * Seconds after the last heartbeat until a lock is free: an engine that restarts may be silent for a minute.
 */
export const LOCK_SECONDS = 75;

export const lockName = (stack: string): string => `${stack}_lock`;

export interface Lock {
  id: string;
  /** Every heartbeat changes it, and no other lock has it. */
  version: number;
  /** Whether the config of that name is a lock at all. */
  isOurs: boolean;
  /** Who holds it, for people. */
  holder: string;
  host: string;
  /** The identity of the process that holds it, if it is known. */
  process: string | undefined;
  /** Seconds after the last heartbeat until it is free. */
  seconds: number;
  /** When it was taken, and its last heartbeat, by the clock of the Swarm. */
  since: Date;
  renewed: Date;
}

/** The config that is the lock of a stack. */
export const lockConfig = (
  stack: string,
  { holder, host, process }: Pick<Lock, "holder" | "host" | "process">,
): NewConfig => ({
  name: lockName(stack),
  labels: {
    [LABELS.stack]: stack,
    [LOCK_LABELS.holder]: holder,
    [LOCK_LABELS.host]: host,
    ...(process === undefined ? {} : { [LOCK_LABELS.process]: process }),
    [LOCK_LABELS.seconds]: String(LOCK_SECONDS),
  },
  content: NO_CONTENT,
});

/** The lock of a stack; undefined if nobody holds it. */
export async function readLock(docker: Docker, stack: string): Promise<Lock | undefined> {
  const config = await findConfig(docker, lockName(stack));
  if (config === undefined) return undefined;
  const labels = config.Spec.Labels ?? {};
  return {
    id: config.ID,
    version: config.Version.Index,
    isOurs: labels[LOCK_LABELS.seconds] !== undefined,
    holder: labels[LOCK_LABELS.holder] ?? "unknown",
    host: labels[LOCK_LABELS.host] ?? "",
    process: labels[LOCK_LABELS.process],
    seconds: Number(labels[LOCK_LABELS.seconds]),
    since: new Date(config.CreatedAt),
    renewed: new Date(config.UpdatedAt),
  };
}

/**
 * Sends a heartbeat: the engine notes the time of every update, also of one that changes nothing.
 *
 * @param id of the lock
 * @returns whether the lock is still there
 * @throws OperatorError when docker does not answer
 */
export async function renewLock(docker: Docker, id: string): Promise<boolean> {
  const config = await findConfig(docker, id);
  if (config === undefined) return false;
  await enginePost(docker, `/configs/${id}/update?version=${config.Version.Index}`, config.Spec);
  return true;
}

/** Frees a lock by its id, so that no other lock is ever removed. */
export async function freeLock(docker: Docker, id: string): Promise<void> {
  await removeConfig(docker, id);
}
