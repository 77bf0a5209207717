import { words } from "./objects.js";
import type { Docker } from "./run.js";
import { LABELS } from "./swarmSecrets.js";

/** Names of the configs that hephaestus keeps its notes in, by the stack's label and the beginning of their names. */
export async function stackConfigNames(docker: Docker, stack: string, prefix: string): Promise<string[]> {
  const filters = ["--filter", `label=${LABELS.stack}=${stack}`, "--filter", `name=${prefix}`];
  const names = await docker.run(["config", "ls", ...filters, "--format", "{{.Name}}"]);
  return words(names).filter((name) => name.startsWith(prefix));
}

/** Removes such a config, if it is there; one of somebody else stays. */
export async function removeStackConfig(docker: Docker, stack: string, name: string): Promise<void> {
  if ((await stackConfigNames(docker, stack, name)).includes(name))
    await docker.attempt(["config", "rm", name]);
}
