import { type Family, familyOf, HTPASSWD, parseSecretName, secretName } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { removeBaselineOf } from "../swarm/baseline.js";
import { removeConfig } from "../swarm/configs.js";
import { readerServiceName, removeHelperService } from "../swarm/helperService.js";
import { type NewSecret, removeSecretNamed, stackSecretNames } from "../swarm/secrets.js";
import { removeStackConfig } from "../swarm/stackConfigs.js";
import { handoverName, oldMarkers } from "./handover.js";

/**
 * Removes one secret, and the marker of a hand-over with its users.
 *
 * @returns whether it is gone: Swarm refuses that while a service uses it
 */
export async function removeSecret(
  docker: Docker,
  stack: string,
  { kind, generation }: Pick<NewSecret, "kind" | "generation">,
): Promise<boolean> {
  if (!(await removeSecretNamed(docker, secretName(stack, kind, generation)))) return false;
  if (kind === HTPASSWD) await removeStackConfig(docker, stack, handoverName(stack, generation));
  return true;
}

/**
 * Takes back what a run wrote; what a service uses stays, and what could not be written since somebody else
 * has that name.
 */
export async function discardSecrets(
  docker: Docker,
  stack: string,
  written: readonly NewSecret[],
): Promise<void> {
  const own = await stackSecretNames(docker, stack);
  for (const secret of written.toReversed())
    if (own.includes(secretName(stack, secret.kind, secret.generation)))
      await removeSecret(docker, stack, secret);
}

/**
 * Removes secrets that no service uses, and their markers.
 *
 * @param keep the generation in use of each family; what is said nothing of stays
 * @returns names of what was removed
 */
export async function removeOldSecrets(
  docker: Docker,
  stack: string,
  keep: Readonly<Partial<Record<Family, number | undefined>>>,
): Promise<string[]> {
  const removed: string[] = [];
  // Reading an htpasswd back ends with removing this service, unless it was killed.
  if (await removeHelperService(docker, stack, readerServiceName(stack)))
    removed.push(readerServiceName(stack));
  for (const name of await stackSecretNames(docker, stack)) {
    const secret = parseSecretName(stack, name);
    const kept = secret && keep[familyOf(secret.kind)];
    if (secret === undefined || kept === undefined || secret.generation === kept) continue;
    if (await removeSecret(docker, stack, secret)) removed.push(name);
  }
  await removeBaselineOf(docker, stack, removed);
  if (keep.users !== undefined)
    for (const name of await oldMarkers(docker, stack, [keep.users])) await removeConfig(docker, name);
  return removed;
}
