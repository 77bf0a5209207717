import { randomBytes } from "node:crypto";
import { words } from "../docker/objects.js";
import { type Docker, dockerFailed } from "../docker/run.js";
import { LABELS } from "../docker/swarmSecrets.js";

/** The Swarm configs that make up a stack's lock: the lock itself, and the heartbeats of its holder. */

const LOCK_LABELS = {
  holder: "hephaestus.lock.holder",
  host: "hephaestus.lock.host",
  pid: "hephaestus.lock.pid",
  /** Boot, namespace, id and start of the process. */
  process: "hephaestus.lock.process",
  /** Seconds between heartbeats; versions before left none. */
  renewed: "hephaestus.lock.renewed",
  /** Seconds since the epoch: what versions before go by. */
  expires: "hephaestus.lock.expires",
} as const;

/** Seconds between two heartbeats. */
export const BEAT_SECONDS = 10;

/** Seconds after the last heartbeat until a lock is free: an engine that restarts may be silent for a minute. */
export const LOCK_SECONDS = 75;

/** For versions that know no heartbeats. */
const EXPIRES_SECONDS = 86_400;

export const lockName = (stack: string): string => `${stack}_lock`;

const beatName = (stack: string, lock: string, number: number | string): string =>
  `${stack}_lock-beat_${lock.slice(0, 12)}_${number}`;

export interface Holder {
  /** The lock's id. */
  id: string;
  /** Whether the config of that name is a lock at all. */
  isOurs: boolean;
  holder: string;
  host: string;
  pid: number;
  process: string | undefined;
  /** Whether it sends heartbeats. */
  renewed: boolean;
  /** Seconds since the epoch. */
  expires: number;
  /** When the lock was taken. */
  since: Date;
}

export function createLock(
  stack: string,
  { holder, host, pid, process }: Pick<Holder, "holder" | "host" | "pid" | "process">,
): string[] {
  const labels = [
    `${LABELS.stack}=${stack}`,
    `${LOCK_LABELS.holder}=${holder}`,
    `${LOCK_LABELS.host}=${host}`,
    `${LOCK_LABELS.pid}=${pid}`,
    ...(process === undefined ? [] : [`${LOCK_LABELS.process}=${process}`]),
    `${LOCK_LABELS.renewed}=${BEAT_SECONDS}`,
    `${LOCK_LABELS.expires}=${Math.floor(Date.now() / 1000) + EXPIRES_SECONDS}`,
  ];
  return ["config", "create", ...labels.flatMap((label) => ["--label", label]), lockName(stack), "-"];
}

interface InspectedConfig {
  ID: string;
  CreatedAt: string;
  Spec: { Name: string; Labels?: Record<string, string> };
}

/** Who holds the stack's lock; undefined where nobody does. */
export async function readLock(docker: Docker, stack: string): Promise<Holder | undefined> {
  const inspect = ["config", "inspect", "--format", "{{json .}}", lockName(stack)];
  const result = await docker.attempt(inspect);
  if (result.exitCode !== 0) {
    if (/no such|not found/i.test(result.stderr)) return undefined;
    throw dockerFailed(inspect, result);
  }
  const { ID, CreatedAt, Spec } = JSON.parse(result.stdout) as InspectedConfig;
  const labels = Spec.Labels ?? {};
  return {
    id: ID,
    isOurs: labels[LOCK_LABELS.holder] !== undefined,
    holder: labels[LOCK_LABELS.holder] ?? "unknown",
    host: labels[LOCK_LABELS.host] ?? "",
    pid: Number(labels[LOCK_LABELS.pid] ?? 0),
    process: labels[LOCK_LABELS.process],
    renewed: labels[LOCK_LABELS.renewed] !== undefined,
    expires: Number(labels[LOCK_LABELS.expires] ?? 0),
    since: new Date(CreatedAt),
  };
}

/** Whether the time is over that a lock without heartbeats names. */
export const isExpired = ({ expires }: Holder): boolean => expires < Date.now() / 1000;

const listBeats = (stack: string): string[] => [
  ...["config", "ls", "--filter", `name=${stack}_lock-beat_`, "--format", "{{.Name}}"],
];

async function beatNames(docker: Docker, stack: string): Promise<string[]> {
  return words(await docker.run(listBeats(stack))).filter((name) => name.startsWith(`${stack}_lock-beat_`));
}

/** When the holder of a lock gave its last heartbeat, in milliseconds of the Swarm's clock. */
export async function lastSign(docker: Docker, stack: string, { id, since }: Holder): Promise<number> {
  const own = (await beatNames(docker, stack)).filter((name) => name.startsWith(beatName(stack, id, "")));
  if (own.length === 0) return since.getTime();
  // One that is replaced meanwhile is missing in the answer.
  const { stdout } = await docker.attempt(["config", "inspect", ...own]);
  const beats = JSON.parse(stdout.trim() || "[]") as InspectedConfig[];
  return Math.max(since.getTime(), ...beats.map(({ CreatedAt }) => Date.parse(CreatedAt)));
}

/** Now, by the clock that stamps the Swarm's objects: that of an object made for it. */
export async function swarmTime(docker: Docker, stack: string): Promise<number> {
  const probe = `${stack}_lock-probe_${randomBytes(4).toString("hex")}`;
  await docker.run(["config", "create", "--label", `${LABELS.stack}=${stack}`, probe, "-"], {
    input: "hephaestus\n",
  });
  try {
    return Date.parse(
      (await docker.run(["config", "inspect", "--format", "{{json .CreatedAt}}", probe])).replaceAll('"', ""),
    );
  } finally {
    await docker.attempt(["config", "rm", probe]);
  }
}

/**
 * Leaves a heartbeat, and removes the one before.
 *
 * @returns whether the lock is still there
 * @throws OperatorError when docker does not answer
 */
export async function beat(docker: Docker, stack: string, lock: string, number: number): Promise<boolean> {
  const create = [
    "config",
    "create",
    "--label",
    `${LABELS.stack}=${stack}`,
    beatName(stack, lock, number),
    "-",
  ];
  const created = await docker.attempt(create, { input: "hephaestus\n" });
  if (created.exitCode !== 0) throw dockerFailed(create, created);
  if (number > 1) await docker.attempt(["config", "rm", beatName(stack, lock, number - 1)]);
  const inspect = ["config", "inspect", "--format", "{{.ID}}", lock];
  const found = await docker.attempt(inspect);
  if (found.exitCode === 0) return true;
  if (/no such|not found/i.test(found.stderr)) return false;
  throw dockerFailed(inspect, found);
}

/** Frees a lock by its id, so that no other one is ever removed, and the signs of its holder. */
export async function freeLock(docker: Docker, stack: string, id: string): Promise<void> {
  await docker.attempt(["config", "rm", id]);
  await removeBeats(docker, stack, id);
}

/** Removes the heartbeats of one lock, or of all. Only who just took the lock, or releases it, may remove all. */
export async function removeBeats(docker: Docker, stack: string, lock = ""): Promise<void> {
  const { exitCode, stdout } = await docker.attempt(listBeats(stack));
  if (exitCode !== 0) return;
  const prefix = lock === "" ? `${stack}_lock-beat_` : beatName(stack, lock, "");
  const names = words(stdout).filter((name) => name.startsWith(prefix));
  if (names.length > 0) await docker.attempt(["config", "rm", ...names]);
}
