import type { Docker } from "../docker/run.js";
import { listConfigs, removeConfig, type SwarmConfig } from "./configs.js";
import { labelledBy } from "./objects.js";

/** The configs that hephaestus keeps its notes in, by the stack's label and the beginning of their names. */
export const stackConfigs = async (docker: Docker, stack: string, prefix: string): Promise<SwarmConfig[]> =>
  (await listConfigs(docker, { ...labelledBy(stack), name: [prefix] })).filter(({ Spec }) =>
    Spec.Name.startsWith(prefix),
  );

export const stackConfigNames = async (docker: Docker, stack: string, prefix: string): Promise<string[]> =>
  (await stackConfigs(docker, stack, prefix)).map(({ Spec }) => Spec.Name);

/** Removes such a config, if it is there; one of somebody else stays. */
export async function removeStackConfig(docker: Docker, stack: string, name: string): Promise<void> {
  if ((await stackConfigNames(docker, stack, name)).includes(name)) await removeConfig(docker, name);
}
