import type { Docker } from "../docker/run.js";
import { removeConfig } from "./configs.js";
import { labelledBy, listServices, STACK_LABEL, type SwarmService } from "./objects.js";
import { ownConfigs } from "./ownership.js";

/** The services that hephaestus started beside the stack: jobs, and the reader of an htpasswd. */
export const helperServices = async (docker: Docker, stack: string): Promise<SwarmService[]> =>
  (await listServices(docker, labelledBy(stack))).filter(
    // The stack's own services carry the label too, but stand in its namespace.
    ({ Spec }) => Spec.Labels?.[STACK_LABEL] === undefined,
  );

/**
 * Removes configs of older content that no service of the stack uses.
 *
 * @returns names of what was removed
 */
export async function removeOldConfigs(
  docker: Docker,
  stack: string,
  services: readonly SwarmService[],
): Promise<string[]> {
  const removed: string[] = [];
  for (const name of await unusedConfigs(docker, stack, services)) {
    if (await removeConfig(docker, name)) removed.push(name);
  }
  return removed;
}

/** Names of the stack's configs that none of the given services uses. */
export async function unusedConfigs(
  docker: Docker,
  stack: string,
  services: readonly SwarmService[],
): Promise<string[]> {
  const used = new Set(
    services.flatMap(
      ({ Spec }) => Spec.TaskTemplate.ContainerSpec.Configs?.map(({ ConfigName }) => ConfigName) ?? [],
    ),
  );
  return (await ownConfigs(docker, stack)).filter((name) => !used.has(name));
}
