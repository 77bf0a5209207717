import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { discardSecrets } from "../secrets/removeSecrets.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import { rollSeconds } from "../services/parts.js";
import type { Session } from "../session.js";
import {
  type Baseline,
  isRestored,
  readBaseline,
  removeBaseline,
  restoreBaseline,
  writeBaseline,
} from "../swarm/baseline.js";
import { describe, judge } from "../swarm/convergence.js";
import { engineTime } from "../swarm/engine.js";
import { removeOldConfigs } from "../swarm/leftovers.js";
import { stackServices, tasksOf } from "../swarm/objects.js";
import { ownNetworks } from "../swarm/ownership.js";
import { removeNetworks, waitForConvergence } from "../swarm/stackUpdate.js";

/** Time limit for the previous tasks to run again, in seconds: the services roll at the same time. */
const rollbackSeconds = (config: Config): number =>
  rollSeconds(config, Math.max(config.registry.replicas, config.gateway.replicas));

/** Time limit for the tasks of removed services to release their resources, in seconds. */
const REMOVAL_SECONDS = 30;

/**
 * Records what a failed deploy has to go back to, before the deploy: what runs now, or, if an interrupted
 * deploy left services that do not run, the state that it recorded.
 */
export async function chooseBaseline(docker: Docker, stack: string): Promise<Baseline> {
  const left = await readBaseline(docker, stack);
  if (left !== undefined && !(await runs(docker, stack))) return left;
  const now = (await stackServices(docker, stack)).map(({ Spec }) => Spec);
  await writeBaseline(docker, stack, now);
  return now;
}

/** Whether all services of the stack run as their specs say. */
async function runs(docker: Docker, stack: string): Promise<boolean> {
  const since = await engineTime(docker);
  const services = await stackServices(docker, stack);
  const tasks = await tasksOf(docker, services);
  return services.every((service) => judge(service, tasks(service), since, "back").state === "converged");
}

/**
 * Rolls a rollout back: new services are removed, and the others get exactly the specs that they
 * had. Foreign objects in the namespace of the stack are not changed.
 *
 * @param since when the deploy began, by the engine's clock
 * @returns the outcome in whole sentences
 */
export async function rollBackRollout(
  { config, docker, reporter }: Session,
  { accounts, given }: SecretsPlan,
  before: Baseline,
  since: string,
): Promise<string> {
  const { stack } = config;
  reporter.progress("rolling back to the previous state");
  const faults = await restoreBaseline(docker, stack, before);
  if (before.length === 0) {
    await discardSecrets(docker, stack, [...accounts, ...given]);
    await removeOldConfigs(docker, stack, await stackServices(docker, stack));
    const left = [
      ...faults,
      ...(await removeNetworks(docker, await ownNetworks(docker, stack), REMOVAL_SECONDS)),
    ];
    if (left.length > 0)
      return `There was no previous state, but some objects of this deploy are left: ${left.join("; ")}.`;
    await removeBaseline(docker, stack);
    return "There was no previous state. Everything that this deploy created was removed.";
  }
  const back = await waitForConvergence(docker, config, {
    only: new Set(before.map(({ Name }) => Name)),
    goal: "back",
    since,
    timeoutSeconds: rollbackSeconds(config),
    onProgress: (verdicts) => reporter.progress(`going back: ${describe(stack, verdicts)}`),
  });
  await discardSecrets(docker, stack, [...accounts, ...given]);
  if (faults.length > 0) return `Going back failed: ${faults.join("; ")}.`;
  // The engine gives a service whose update back failed the broken spec again.
  if (back.state !== "converged" || !(await isRestored(docker, stack, before)))
    return `The rollback did not converge either: ${describe(stack, back.verdicts)}.`;
  await removeOldConfigs(docker, stack, await stackServices(docker, stack));
  await removeBaseline(docker, stack);
  return "The previous state runs again.";
}
