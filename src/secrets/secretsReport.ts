import { FAMILIES, type Family, familyOf, type SecretKind } from "../credentials/secretKinds.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { type SwarmService, secretNamesOf, stackServices } from "../swarm/objects.js";
import type { SecretFacts } from "../swarm/secrets.js";
import {
  generationInUse,
  keptGeneration,
  keptMachines,
  keptUsers,
  readStackSecrets,
  type StackSecrets,
} from "./generations.js";
import { removeOldSecrets } from "./removeSecrets.js";

export interface SecretReport extends Pick<SecretFacts, "name" | "kind" | "generation" | "created"> {
  /** Services that use it, without the stack's name. */
  usedBy: string[];
  /** Kept by the next deploy though nothing uses it now, or left over. */
  state: "in use" | "kept" | "orphan";
}

/** The stack and its docker. */
type Stack = Pick<Session, "docker" | "config">;

/** The generation of each family that the next deploy would use. */
type Kept = Readonly<Partial<Record<Family, number | undefined>>>;

/** The secrets of the stack, and the services that use them. */
export async function reportSecrets(stack: Stack): Promise<SecretReport[]> {
  const { docker, config } = stack;
  const found = await readStackSecrets(docker, config.stack);
  return judgeSecrets(found, await stackServices(docker, config.stack), await keptGenerations(stack, found));
}

/** Judges the facts. Pure. */
export function judgeSecrets(
  { stack, secrets }: StackSecrets,
  services: readonly SwarmService[],
  keep: Kept,
): SecretReport[] {
  return secrets.map(({ name, kind, generation, created }) => {
    const usedBy = services
      .filter((service) => secretNamesOf([service]).includes(name))
      .map(({ Spec }) => Spec.Name.slice(stack.length + 1));
    const isKept = generation === keep[familyOf(kind)];
    const state = usedBy.length > 0 ? "in use" : isKept ? "kept" : "orphan";
    return { name, kind, generation, created, usedBy, state };
  });
}

/**
 * Removes the secrets that no service uses and no deploy would keep.
 *
 * @returns names of what was removed
 * @throws OperatorError when no generation can be kept: then any of them may be the only copy
 */
export async function pruneSecrets(stack: Stack, found: StackSecrets): Promise<string[]> {
  const keep = await keptGenerations(stack, found);
  if (keep.users !== undefined && keep.machines !== undefined)
    return removeOldSecrets(stack.docker, found.stack, keep);
  throw new OperatorError("has no generation of secrets that could be kept", {
    where: found.stack,
    remedy: "Deploy it first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/**
 * Those that the next deploy would use, else those in use: it may be about to make the first with a mirror.
 */
async function keptGenerations({ docker, config }: Stack, found: StackSecrets): Promise<Kept> {
  const machines = keptMachines(found, config) ?? generationInUse(found, "gateway");
  return { ...newestGenerations(found), machines, users: (await keptUsers(docker, found))?.generation };
}

/** The generation of each family that is in use, else the newest. Pure. */
export const newestGenerations = (found: StackSecrets): Kept =>
  Object.fromEntries(
    Object.entries(FAMILIES).map(([family, { kinds }]): [string, number | undefined] => [
      family,
      keptGeneration(found, [kinds[0]] satisfies SecretKind[]),
    ]),
  );
