import { candidates, type GenerationState } from "../credentials/generationState.js";
import type { Docker } from "../docker/run.js";
import { htpasswdFacts, type SecretFacts } from "../docker/swarmSecrets.js";
import { type HistoryRecord, readRecords } from "../history/records.js";
import { wasHandedOver } from "../operation/leftovers.js";

/** The generation of the htpasswd that a run starts from. */
export interface Kept {
  generation: number;
  /** Whether its passwords are known, as far as the Swarm can tell. */
  isKnown: boolean;
}

/**
 * The generation to start from. A generated one that a killed run never showed is of no use where the one before is still
 * there. Where none other is left, it is kept all the same: that nothing proves its hand-over any more (a clean-up removes
 * unused configs) is no reason to lose a user.
 */
export async function keptGeneration(
  docker: Docker,
  stack: string,
  state: GenerationState,
  secrets: readonly SecretFacts[],
): Promise<Kept | undefined> {
  const available = candidates(state).filter(
    (generation) => generation === state.inUse.people || htpasswdFacts(secrets, generation),
  );
  let records: HistoryRecord[] | undefined;
  for (const generation of available) {
    if (htpasswdFacts(secrets, generation)?.origin !== "generated") return { generation, isKnown: true };
    if (await wasHandedOver(docker, stack, generation)) return { generation, isKnown: true };
    records ??= await readRecords(docker, stack);
    if (isProven(records, generation)) return { generation, isKnown: true };
  }
  const [generation] = available;
  return generation === undefined ? undefined : { generation, isKnown: false };
}

/**
 * Whether the history proves that a generated password was shown: a rotation is recorded after that, and a later deploy went
 * on from it. The deploy that made it is recorded before.
 */
export function isProven(records: readonly HistoryRecord[], generation: number): boolean {
  const own = records.filter(({ generations }) => generations?.people === generation);
  return own.length > 1 || own.some(({ kind }) => kind !== "deploy");
}
