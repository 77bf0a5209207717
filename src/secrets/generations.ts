import { isDeepStrictEqual } from "node:util";
import type { Config } from "../config/resolve.js";
import { machineKinds } from "../credentials/machineAccounts.js";
import {
  FAMILIES,
  type Family,
  generationsIn,
  HTPASSWD,
  type MachineSecret,
  type SecretKind,
  secretName,
} from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { hasLibraryAccount } from "../services/library.js";
import { hasMirror } from "../services/mirrorSources.js";
import type { Session } from "../session.js";
import { secretNamesOf, stackServices } from "../swarm/objects.js";
import { type SecretFacts, stackSecrets } from "../swarm/secrets.js";
import { unseenUsers } from "./handover.js";

/**
 * A secret in a Swarm cannot be changed. So each change writes a new generation, points the services to it,
 * proves it, and removes the old one. This is the same for every family of secrets: which generation there
 * is, is in use, is kept, and comes next.
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

/** Whether nothing has happened since they were read. */
export const areUnchanged = async (docker: Docker, before: StackSecrets): Promise<boolean> =>
  isDeepStrictEqual(namesOf(before), namesOf(await readStackSecrets(docker, before.stack)));

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

/** The machine accounts of a stack. */
export const machinesOf = (config: Config): MachineSecret[] =>
  machineKinds([
    ...(hasLibraryAccount(config) ? (["library"] as const) : []),
    ...(hasMirror(config) ? (["mirror"] as const) : []),
  ]);

/** The generation of the machine accounts to keep; undefined if the stack needs new ones. */
export const keptMachines = (found: StackSecrets, config: Config): number | undefined =>
  keptGeneration(found, machinesOf(config));

/** The number of a generation that does not exist yet, not even in part. */
export const nextGeneration = (found: StackSecrets, family: Family): number =>
  Math.max(
    0,
    ...FAMILIES[family].kinds.flatMap((kind) => [
      ...generationsOf(found, kind),
      generationInUse(found, kind) ?? 0,
    ]),
  ) + 1;

/**
 * The generations of the htpasswd that a deploy may keep, the best first: the one in use, then the newest.
 */
export function candidates(found: StackSecrets): number[] {
  const inUse = generationInUse(found, HTPASSWD);
  const others = generationsOf(found, HTPASSWD)
    .filter((generation) => generation !== inUse)
    .reverse();
  return inUse === undefined ? others : [inUse, ...others];
}

/** What the Swarm says of one generation of the htpasswd; undefined if it does not know it. */
export const htpasswdFacts = (
  { secrets }: StackSecrets,
  generation: number | undefined,
): SecretFacts | undefined =>
  secrets.find((secret) => secret.kind === HTPASSWD && secret.generation === generation);

/** The generation of the htpasswd that a run starts from. */
export interface KeptUsers {
  readonly generation: number;
  /** What the Swarm says of it; undefined if its secret is not listed. */
  readonly facts: SecretFacts | undefined;
  /** Users whose generated passwords nobody was shown, as far as the Swarm can tell. */
  readonly unseen: readonly string[];
}

/**
 * The generation to start from: the one in use, then the newest. One with a generated password that a killed
 * run never showed is of no use if the one before is still there. If no other is left, it is kept all the
 * same: that nothing proves its hand-over any more (a clean-up removes unused configs) is no reason to lose a
 * user.
 *
 * @returns undefined if the stack has no users yet
 */
export async function keptUsers(docker: Docker, found: StackSecrets): Promise<KeptUsers | undefined> {
  let best: KeptUsers | undefined;
  for (const generation of candidates(found)) {
    // What is newer than the one in use was never used.
    if (best !== undefined && generation > best.generation) continue;
    const facts = htpasswdFacts(found, generation);
    const unseen = await unseenUsers(docker, found.stack, facts);
    if (best === undefined || unseen.length < best.unseen.length) best = { generation, facts, unseen };
    if (unseen.length === 0) break;
  }
  return best;
}

/**
 * The users and machine accounts in the Swarm: what a run starts from, and the numbers of the generations
 * that it may write.
 */
export interface UserSecrets {
  readonly found: StackSecrets;
  readonly kept: KeptUsers | undefined;
  /** The generation of the htpasswd that the registry uses. */
  readonly inUse: number | undefined;
  /** The generation of the machine accounts to keep; undefined if the stack needs new ones. */
  readonly machines: number | undefined;
  readonly next: { readonly users: number; readonly machines: number };
}

export async function readUserSecrets({
  docker,
  config,
}: Pick<Session, "docker" | "config">): Promise<UserSecrets> {
  const found = await readStackSecrets(docker, config.stack);
  return {
    found,
    kept: await keptUsers(docker, found),
    inUse: generationInUse(found, HTPASSWD),
    machines: keptMachines(found, config),
    next: { users: nextGeneration(found, "users"), machines: nextGeneration(found, "machines") },
  };
}
