import {
  type Generations,
  GIVEN_SECRETS,
  generationOf,
  HTPASSWD,
  MACHINE_SECRETS,
  type SecretKind,
  STORAGE_SECRETS,
  secretName,
} from "../credentials/secretKinds.js";
import { listLabelledServices, readerServiceName, removeHelperService } from "../docker/helperService.js";
import { STACK_LABEL, type SwarmService, servicesOf } from "../docker/objects.js";
import { type Docker, dockerFailed, saysAbsent } from "../docker/run.js";
import { LABELS, removeSecrets, stackSecretNames } from "../docker/swarmSecrets.js";
import { ownConfigs } from "./ownership.js";

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

/** Removes the htpasswd of one generation. Swarm refuses that while a service uses it. */
export async function removeHtpasswd(docker: Docker, stack: string, generation: number): Promise<boolean> {
  const { exitCode } = await docker.attempt(removeSecrets([secretName(stack, HTPASSWD, generation)]));
  if (exitCode === 0) await docker.attempt(["config", "rm", handoverName(stack, generation)]);
  return exitCode === 0;
}

/** Removes the secrets of one machine generation; those that a service uses stay. */
export async function removeMachines(docker: Docker, stack: string, generation: number): Promise<void> {
  for (const kind of MACHINE_SECRETS)
    await docker.attempt(removeSecrets([secretName(stack, kind, generation)]));
}

/**
 * Removes secrets that no service uses, and their markers.
 *
 * @param keep the generations in use
 * @returns names of what was removed
 */
export async function removeOldSecrets(docker: Docker, stack: string, keep: Generations): Promise<string[]> {
  const removed: string[] = [];
  // Reading an htpasswd back ends with removing this service, unless it was killed.
  if (await removeHelperService(docker, stack, readerServiceName(stack)))
    removed.push(readerServiceName(stack));
  for (const name of await stackSecretNames(docker, stack)) {
    const of = (kind: SecretKind) => generationOf(stack, kind, name);
    const people = of(HTPASSWD);
    const machines = MACHINE_SECRETS.map(of).find((generation) => generation !== undefined);
    const storage = STORAGE_SECRETS.map(of).find((generation) => generation !== undefined);
    const given = GIVEN_SECRETS.find((kind) => of(kind) !== undefined);
    const kept = given && keep.given?.[given];
    const old =
      (people !== undefined && people !== keep.people) ||
      (machines !== undefined && machines !== keep.machines) ||
      (storage !== undefined && keep.storage !== undefined && storage !== keep.storage) ||
      (given !== undefined && kept !== undefined && of(given) !== kept);
    if (!old) continue;
    const gone =
      people === undefined
        ? (await docker.attempt(removeSecrets([name]))).exitCode === 0
        : await removeHtpasswd(docker, stack, people);
    if (gone) removed.push(name);
  }
  await removeOldMarkers(docker, stack, keep.people);
  return removed;
}

/** Removes markers of generations that no longer exist. */
async function removeOldMarkers(docker: Docker, stack: string, keep: number): Promise<void> {
  for (const name of await oldMarkers(docker, stack, [keep])) await docker.attempt(["config", "rm", name]);
}

/** Names of the markers of other generations than the given ones. */
export async function oldMarkers(docker: Docker, stack: string, keep: readonly number[]): Promise<string[]> {
  const prefix = handoverName(stack, "");
  const names = await docker.run(["config", "ls", "--filter", `name=${prefix}`, "--format", "{{.Name}}"]);
  const kept = keep.map((generation) => handoverName(stack, generation));
  return names.split("\n").filter((name) => name.startsWith(prefix) && !kept.includes(name));
}

/** The services that hephaestus started beside the stack: jobs, and the reader of an htpasswd. */
export const helperServices = async (docker: Docker, stack: string): Promise<SwarmService[]> =>
  (await servicesOf(docker, listLabelledServices(stack))).filter(
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
    if ((await docker.attempt(["config", "rm", name])).exitCode === 0) removed.push(name);
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
