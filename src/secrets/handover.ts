import { type Docker, dockerFailed, saysAbsent } from "../docker/run.js";
import { LABELS } from "../docker/swarmSecrets.js";

/** Name of the marker that the generated password of a generation was shown to a user. */
export const handoverName = (stack: string, generation: number | string): string =>
  `${stack}_handed-over_${generation}`;

/** Without the marker the next run would return to the previous generation, so creating it is retried. */
export async function markHandedOver(docker: Docker, stack: string, generation: number): Promise<void> {
  const label = ["--label", `${LABELS.stack}=${stack}`];
  const create = ["config", "create", ...label, handoverName(stack, generation), "-"];
  for (let tries = 0; tries < 3; tries++) {
    if ((await docker.attempt(create, { input: "hephaestus\n" })).exitCode === 0) return;
    if (await wasHandedOver(docker, stack, generation)) return;
  }
}

export async function wasHandedOver(docker: Docker, stack: string, generation: number): Promise<boolean> {
  const inspect = ["config", "inspect", handoverName(stack, generation)];
  const result = await docker.attempt(inspect);
  if (result.exitCode === 0) return true;
  if (saysAbsent(result)) return false;
  throw dockerFailed(inspect, result);
}

/** Names of the markers of other generations than the given ones. */
export async function oldMarkers(docker: Docker, stack: string, keep: readonly number[]): Promise<string[]> {
  const prefix = handoverName(stack, "");
  const names = await docker.run(["config", "ls", "--filter", `name=${prefix}`, "--format", "{{.Name}}"]);
  const kept = keep.map((generation) => handoverName(stack, generation));
  return names.split("\n").filter((name) => name.startsWith(prefix) && !kept.includes(name));
}
