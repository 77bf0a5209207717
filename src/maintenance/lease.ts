import { setTimeout as sleep } from "node:timers/promises";
import { ExitCode, OperatorError } from "../errors.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import { type Session, uninterruptible } from "../session.js";
import { endLeftJobs } from "../swarm/jobs.js";
import {
  type SwarmService,
  serviceTasks,
  stackService,
  stackServices,
  updateTasks,
} from "../swarm/objects.js";
import {
  deployedRegistry,
  didNotRoll,
  registryRollSeconds,
  registryService,
  rollRegistry,
} from "../swarm/registryUpdate.js";
import { inStep } from "../terminal/inStep.js";

/**
 * The registry in read-only mode: its own switch (storage.maintenance.readonly), with which it answers every
 * write 405. Pulls, the library and logins keep working. It is a lease that ends by the registry's own clock:
 * if the process that asked for it dies, the registry takes pushes again by itself.
 */

const PREFIX = `${READONLY_VARIABLE}=`;

/**
 * Until when the registry's service is told to refuse writes.
 *
 * @returns seconds since the epoch; undefined if it is not told so
 */
export function readOnlyUntil(services: readonly SwarmService[], stack: string): number | undefined {
  const registry = stackService(services, stack, "registry");
  const value = registry?.Spec.TaskTemplate.ContainerSpec.Env?.find((line) => line.startsWith(PREFIX));
  return value === undefined ? undefined : Number(value.slice(PREFIX.length));
}

/**
 * Works while the registry refuses writes, and lets it take them again in any case.
 *
 * @param until seconds since the epoch at which the lease ends by itself
 * @param drainSeconds how long uploads may take to end
 * @throws OperatorError when it cannot be made sure that nobody writes; what the work throws
 */
export async function whileReadOnly<T>(
  session: Session,
  { until, drainSeconds }: { until: number; drainSeconds: number },
  work: () => Promise<T>,
): Promise<T> {
  try {
    await inStep(
      session.reporter,
      { id: "read-only", title: "Read-only" },
      () => makeReadOnly(session, until, drainSeconds),
      () => "pushes are refused, pulls continue",
    );
    return await work();
  } finally {
    await makeWritable(uninterruptible(session), until);
  }
}

/** Ends the read-only mode that a killed run left. The caller holds the lock of the stack. */
export async function endLeftReadOnly(session: Session): Promise<void> {
  const { stack } = session.config;
  const until = readOnlyUntil(await stackServices(session.docker, stack), stack);
  if (until !== undefined) await makeWritable(uninterruptible(session), until);
}

/** The old task ends by itself when its last upload has (at most the registry's draintimeout). */
async function makeReadOnly(session: Session, until: number, drainSeconds: number): Promise<void> {
  const variable = `${PREFIX}${until}`;
  await roll(session, variable);
  if (await haveEnded(session, (env) => !env.includes(variable), drainSeconds)) return;
  throw new OperatorError(`uploads have not ended in ${drainSeconds} seconds`, {
    where: registryService(session.config.stack),
    remedy: "Nothing was removed. Try again when fewer people push.",
    exitCode: ExitCode.rollout,
  });
}

/**
 * Waits for the registry's tasks of before: one that was replaced answers until it has ended.
 *
 * @param isOld tells them by their variables
 * @returns whether they have ended in time
 */
async function haveEnded(
  { config, docker, reporter }: Session,
  isOld: (env: readonly string[]) => boolean,
  seconds: number,
): Promise<boolean> {
  for (const end = Date.now() + seconds * 1000; ; await sleep(500)) {
    const tasks = await serviceTasks(docker, registryService(config.stack));
    const running = tasks.filter(({ Status }) => Status.State === "running");
    if (!running.some(({ Spec }) => isOld(Spec.ContainerSpec.Env ?? []))) return true;
    if (Date.now() >= end) return false;
    reporter.progress("waiting for the tasks from before to end");
  }
}

/** Seconds for a task that refused writes to end: no upload is under way. */
const END_SECONDS = 15;

/** Nothing happens if the registry takes writes. */
async function makeWritable(session: Session, until: number): Promise<void> {
  const { config, docker, reporter } = session;
  const { stack } = config;
  const work = async () => {
    try {
      // While something is still removed nobody may write.
      await endLeftJobs(docker, stack);
      if (readOnlyUntil(await stackServices(docker, stack), stack) === undefined) return;
      await roll(session);
      await haveEnded(session, (env) => env.some((line) => line.startsWith(PREFIX)), END_SECONDS);
    } catch (cause) {
      // Who has the lock now ends the lease, or it ends by itself.
      if ((cause as OperatorError).exitCode === ExitCode.locked) throw cause;
      throw new OperatorError(`the registry could not be made writable: ${(cause as Error).message}`, {
        where: stack,
        remedy: `Run hephaestus deploy, which does it too. Otherwise it accepts pushes again at ${new Date(until * 1000).toISOString()}.`,
        exitCode: ExitCode.rollout,
        cause,
      });
    }
  };
  const step = { id: "writable", title: "Writable" };
  await inStep(reporter, step, work, () => "pushes are accepted again");
}

/** Rolls the registry with this variable for the read-only mode, or without one. */
async function roll(session: Session, variable?: string): Promise<void> {
  const { config, docker } = session;
  const update = async () => {
    const registry = await deployedRegistry(docker, config.stack);
    const { ContainerSpec } = registry.Spec.TaskTemplate;
    const others = (ContainerSpec.Env ?? []).filter((line) => !line.startsWith(PREFIX));
    const Env = variable === undefined ? others : [...others, variable];
    await updateTasks(docker, registry, { ContainerSpec: { ...ContainerSpec, Env } });
  };
  const result = await rollRegistry(session, update, registryRollSeconds(config));
  if (result.state !== "converged" || result.verdicts.length === 0) throw didNotRoll(config.stack, result);
}
