import { isDeepStrictEqual } from "node:util";
import {
  FAMILIES,
  type Family,
  generationsIn,
  HTPASSWD,
  type SecretKind,
  secretName,
} from "../credentials/secretKinds.js";
import { secretNamesOf, stackServices } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { type SecretFacts, stackSecrets } from "../docker/swarmSecrets.js";

/**
 * A secret in a Swarm cannot be changed. So each change writes a new generation, points the services to it, proves it, and removes
 * the old one. This is the same for every family of secrets: which generation there is, is in use, is kept, and comes next.
 */

/** The secrets of a stack in the Swarm. */
export interface StackSecrets {
  stack: string;
  secrets: readonly SecretFacts[];
  /** Names of the secrets that its services use. */
  used: readonly string[];
}

export async function readStackSecrets(docker: Docker, stack: string): Promise<StackSecrets> {
  const secrets = await stackSecrets(docker, stack);
  return { stack, secrets, used: secretNamesOf(await stackServices(docker, stack)) };
}

/** Whether nothing happened between two looks. */
export const hasSameSecrets = (before: StackSecrets, now: StackSecrets): boolean =>
  isDeepStrictEqual(namesOf(before), namesOf(now));

const namesOf = ({ secrets, used }: StackSecrets) => [secrets.map(({ name }) => name), used];

/** The generations of a kind, in rising order. */
const generationsOf = ({ stack, secrets }: StackSecrets, kind: SecretKind): number[] =>
  generationsIn(
    stack,
    kind,
    secrets.map(({ name }) => name),
  );

/** The generation of a kind that a service uses. */
export const generationInUse = (
  { stack, used }: Omit<StackSecrets, "secrets">,
  kind: SecretKind,
): number | undefined => generationsIn(stack, kind, used).at(-1);

/**
 * The generation to keep: the complete one that a service uses, else the newest complete one.
 *
 * @param kinds those of a family that the stack needs
 * @returns undefined if a new one is needed
 */
export function keptGeneration(
  found: StackSecrets,
  [first, ...others]: readonly SecretKind[],
): number | undefined {
  if (first === undefined) return undefined;
  const complete = generationsOf(found, first).filter((generation) =>
    others.every((kind) => generationsOf(found, kind).includes(generation)),
  );
  const isUsed = (generation: number) => found.used.includes(secretName(found.stack, first, generation));
  return complete.find(isUsed) ?? complete.at(-1);
}

/** The number of a generation that does not exist yet, not even in part. */
export const nextGeneration = (found: StackSecrets, family: Family): number =>
  Math.max(
    0,
    ...FAMILIES[family].kinds.flatMap((kind) => [
      ...generationsOf(found, kind),
      generationInUse(found, kind) ?? 0,
    ]),
  ) + 1;

/** The generations of the htpasswd that a deploy may keep, the best first: the one in use, then the newest. */
export function candidates(found: StackSecrets): number[] {
  const inUse = generationInUse(found, HTPASSWD);
  const others = generationsOf(found, HTPASSWD)
    .filter((generation) => generation !== inUse)
    .reverse();
  return inUse === undefined ? others : [inUse, ...others];
}

/** What the Swarm says of one generation of the htpasswd. */
export const htpasswdFacts = ({ secrets }: StackSecrets, generation: number): SecretFacts | undefined =>
  secrets.find((secret) => secret.kind === HTPASSWD && secret.generation === generation);
