import { setTimeout as sleep } from "node:timers/promises";
import { endLeftJobs } from "../docker/jobs.js";
import { type SwarmService, serviceTasks, stackService, stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "../operation/context.js";
import {
  didNotRoll,
  registryOf,
  registryRollSeconds,
  rollRegistry,
  updateRegistry,
} from "../operation/registryUpdate.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import { inStep } from "../terminal/inStep.js";

/**
 * The registry in read-only mode: its own switch (storage.maintenance.readonly), with which it answers every write 405.
 * Pulls, the library and logins keep working. It is a lease that ends by the registry's own clock, so that no death of the one
 * who asked for it leaves a registry that takes no pushes for ever.
 */

export const setReadOnly = (stack: string, until: number): string[] =>
  updateRegistry(stack, ["--env-add", `${READONLY_VARIABLE}=${until}`]);

export const setWritable = (stack: string): string[] =>
  updateRegistry(stack, ["--env-rm", READONLY_VARIABLE]);

/**
 * Until when the registry's service is told to refuse writes.
 *
 * @returns seconds since the epoch; undefined where it is not told so
 */
export function readOnlyUntil(services: readonly SwarmService[], stack: string): number | undefined {
  const registry = stackService(services, stack, "registry");
  const prefix = `${READONLY_VARIABLE}=`;
  const value = registry?.Spec.TaskTemplate.ContainerSpec.Env?.find((line) => line.startsWith(prefix));
  return value === undefined ? undefined : Number(value.slice(prefix.length));
}

/**
 * Makes the registry refuse writes, and waits until no upload is running any more: the old task ends by itself when
 * its last one has (at most the registry's draintimeout).
 *
 * @param until seconds since the epoch
 * @param drainSeconds how long uploads may take to end
 * @throws OperatorError when it cannot be made sure that nobody writes
 */
export async function makeReadOnly(
  context: DeployContext,
  until: number,
  drainSeconds: number,
): Promise<void> {
  const { config, docker, reporter } = context;
  await roll(context, docker, setReadOnly(config.stack, until));
  const service = registryOf(config.stack);
  for (const end = Date.now() + drainSeconds * 1000; ; await sleep(500)) {
    const writing = (await serviceTasks(docker, service)).filter(
      ({ Spec, Status }) =>
        Status.State === "running" && !Spec.ContainerSpec.Env?.includes(`${READONLY_VARIABLE}=${until}`),
    );
    if (writing.length === 0) return;
    reporter.progress("waiting for uploads to end");
    if (Date.now() < end) continue;
    throw new OperatorError(`uploads have not ended in ${drainSeconds} seconds`, {
      where: service,
      remedy: "Nothing was removed. Try again when fewer people push.",
      exitCode: ExitCode.rollout,
    });
  }
}

/**
 * Lets the registry take writes again; nothing happens where it does.
 *
 * @param docker one that still works after an interruption
 */
async function makeWritable(context: DeployContext, docker: Docker): Promise<void> {
  const { stack } = context.config;
  // While something is still removed nobody may write.
  await endLeftJobs(docker, stack);
  if (readOnlyUntil(await stackServices(docker, stack), stack) === undefined) return;
  await roll(context, docker, setWritable(stack));
}

/** Makes the registry writable again. */
export const endReadOnly = (context: DeployContext, cleanupDocker: Docker, until: number): Promise<string> =>
  inStep(context.reporter, { id: "writable", title: "Writable" }, async () => {
    try {
      await makeWritable(context, cleanupDocker);
    } catch (cause) {
      throw new OperatorError(`the registry could not be made writable: ${(cause as Error).message}`, {
        where: context.config.stack,
        remedy: `Run hephaestus deploy, which does it too. Otherwise it accepts pushes again at ${new Date(until * 1000).toISOString()}.`,
        exitCode: ExitCode.rollout,
        cause,
      });
    }
    return "pushes are accepted again";
  });

/** Ends the read-only mode that a killed run left. The caller holds the lock of the stack. */
export async function endLeftReadOnly(context: DeployContext, cleanupDocker: Docker): Promise<void> {
  const { stack } = context.config;
  const until = readOnlyUntil(await stackServices(context.docker, stack), stack);
  if (until !== undefined) await endReadOnly(context, cleanupDocker, until);
}

async function roll(context: DeployContext, docker: Docker, update: readonly string[]): Promise<void> {
  const seconds = registryRollSeconds(context.config);
  const result = await rollRegistry(context, docker, () => docker.run(update), seconds);
  if (result.state !== "converged" || result.verdicts.length === 0)
    throw didNotRoll(context.config.stack, result);
}
