import { currentMachines } from "../credentials/generationState.js";
import {
  type Generations,
  isGivenSecret,
  isStorageSecret,
  type SecretKind,
} from "../credentials/secretKinds.js";
import { type SwarmService, stackServices } from "../docker/objects.js";
import { type SecretFacts, stackSecrets } from "../docker/swarmSecrets.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "../operation/context.js";
import { removeOldSecrets } from "../operation/leftovers.js";
import { readGenerationState } from "./generations.js";
import { keptGeneration } from "./keptGeneration.js";

export interface SecretReport {
  name: string;
  kind: SecretKind;
  generation: number;
  created: Date;
  /** Services that use it, without the stack's name. */
  usedBy: string[];
  /** Kept by the next deploy though nothing uses it now, or left over. */
  state: "in use" | "kept" | "orphan";
}

/** The secrets of the stack, and the services that use them. */
export async function reportSecrets(context: Whose): Promise<SecretReport[]> {
  const { docker, config } = context;
  const secrets = await stackSecrets(docker, config.stack);
  const services = await stackServices(docker, config.stack);
  return judgeSecrets(config.stack, secrets, services, await keptGenerations(context, secrets));
}

/** Judges the facts. Pure. */
export function judgeSecrets(
  stack: string,
  secrets: readonly SecretFacts[],
  services: readonly SwarmService[],
  keep: Partial<Generations>,
): SecretReport[] {
  return secrets.map(({ name, kind, generation, created }) => {
    const usedBy = services
      .filter(({ Spec }) =>
        Spec.TaskTemplate.ContainerSpec.Secrets?.some(({ SecretName }) => SecretName === name),
      )
      .map(({ Spec }) => Spec.Name.slice(stack.length + 1));
    const wanted = wantedGeneration(kind, secrets, keep);
    const kept = kind === "http-secret" || generation === wanted;
    const state = usedBy.length > 0 ? "in use" : kept ? "kept" : "orphan";
    return { name, kind, generation, created, usedBy, state };
  });
}

/** The generation that the next deploy would use, where no service uses one. */
function wantedGeneration(
  kind: SecretKind,
  secrets: readonly SecretFacts[],
  keep: Partial<Generations>,
): number | undefined {
  if (kind === "htpasswd") return keep.people;
  // The keys of a storage are one generation, and what people give has generations of its own.
  if (isStorageSecret(kind)) return newestOf(secrets, isStorageSecret);
  return isGivenSecret(kind) ? newestOf(secrets, (other) => other === kind) : keep.machines;
}

const newestOf = (
  secrets: readonly SecretFacts[],
  isMeant: (kind: SecretKind) => boolean,
): number | undefined =>
  secrets
    .filter(({ kind }) => isMeant(kind))
    .reduce<number | undefined>((newest, { generation }) => Math.max(newest ?? 0, generation), undefined);

/**
 * Removes the secrets that no service uses and no deploy would keep.
 *
 * @returns names of what was removed
 * @throws OperatorError when no generation can be kept: then any of them may be the only copy
 */
export async function pruneSecrets(context: DeployContext): Promise<string[]> {
  const { docker, config } = context;
  const secrets = await stackSecrets(docker, config.stack);
  const { people, machines } = await keptGenerations(context, secrets);
  if (people === undefined || machines === undefined) {
    throw new OperatorError("has no generation of secrets that could be kept", {
      where: config.stack,
      remedy: "Deploy it first: hephaestus deploy",
      exitCode: ExitCode.preflight,
    });
  }
  return removeOldSecrets(docker, config.stack, { people, machines });
}

/** The stack and its docker. */
type Whose = Pick<DeployContext, "docker" | "config">;

/** The generations that the next deploy would use, else those in use: it may be about to make the first with a mirror. */
async function keptGenerations(
  { docker, config }: Whose,
  secrets: readonly SecretFacts[],
): Promise<{ people?: number; machines?: number }> {
  const state = await readGenerationState({ docker, config }, secrets);
  const people = (await keptGeneration(docker, config.stack, state, secrets))?.generation;
  const machines = currentMachines(state) ?? state.inUse.machines;
  return {
    ...(people === undefined ? {} : { people }),
    ...(machines === undefined ? {} : { machines }),
  };
}
