import { GENERATION_SECRETS, generationOf, secretName } from "../credentials/names.js";
import type { Docker } from "./docker.js";
import { STACK_LABEL, type SwarmService } from "./objects.js";
import { removeSecrets, stackSecretNames } from "./secrets.js";

/** A marker in the Swarm: this generation's generated password was shown to somebody. */
export const handoverName = (stack: string, generation: number | string): string =>
  `${stack}_handed-over_${generation}`;

export async function markHandedOver(docker: Docker, stack: string, generation: number): Promise<void> {
  await docker.attempt(["config", "create", handoverName(stack, generation), "-"], { input: "hephaestus\n" });
}

export async function wasHandedOver(docker: Docker, stack: string, generation: number): Promise<boolean> {
  return (await docker.attempt(["config", "inspect", handoverName(stack, generation)])).exitCode === 0;
}

/** Removes the secrets of one generation; those that a service uses stay, Swarm sees to that. */
export async function removeGeneration(docker: Docker, stack: string, generation: number): Promise<void> {
  for (const kind of GENERATION_SECRETS)
    await docker.attempt(removeSecrets([secretName(stack, kind, generation)]));
  await docker.attempt(["config", "rm", handoverName(stack, generation)]);
}

/**
 * Removes what superseded generations and configs left behind.
 *
 * @param keep the generation in use
 * @param services the stack's services as they run now
 * @returns names of what was removed
 */
export async function removeLeftovers(
  docker: Docker,
  stack: string,
  keep: number,
  services: readonly SwarmService[],
): Promise<string[]> {
  const removed: string[] = [];
  const remove = async (type: "secret" | "config", name: string) => {
    const { exitCode } = await docker.attempt([type, "rm", name]);
    if (exitCode === 0) removed.push(name);
  };
  for (const name of await stackSecretNames(docker, stack)) {
    const generation = GENERATION_SECRETS.map((kind) => generationOf(stack, kind, name)).find(Boolean);
    if (generation === undefined || generation === keep) continue;
    await remove("secret", name);
    await docker.attempt(["config", "rm", handoverName(stack, generation)]);
  }
  const used = new Set(
    services.flatMap(
      ({ Spec }) => Spec.TaskTemplate.ContainerSpec.Configs?.map(({ ConfigName }) => ConfigName) ?? [],
    ),
  );
  const filter = `label=${STACK_LABEL}=${stack}`;
  const configs = await docker.run(["config", "ls", "--filter", filter, "--format", "{{.Name}}"]);
  for (const name of configs.split("\n").filter(Boolean)) if (!used.has(name)) await remove("config", name);
  return removed;
}
