import { HTPASSWD } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { type HistoryRecord, readRecords } from "../history/records.js";
import { candidates, generationInUse, htpasswdFacts, type StackSecrets } from "./generations.js";
import { wasHandedOver } from "./handover.js";

/** The generation of the htpasswd that a run starts from. */
export interface KeptUsers {
  generation: number;
  /** Whether its passwords are known, as far as the Swarm can tell. */
  isKnown: boolean;
}

/**
 * The generation to start from. A generated one that a killed run never showed is of no use if the one before is still
 * there. If no other is left, it is kept all the same: that nothing proves its hand-over any more (a clean-up removes
 * unused configs) is no reason to lose a user.
 */
export async function keptUsers(docker: Docker, found: StackSecrets): Promise<KeptUsers | undefined> {
  const { stack } = found;
  const inUse = generationInUse(found, HTPASSWD);
  const available = candidates(found).filter(
    (generation) => generation === inUse || htpasswdFacts(found, generation),
  );
  let records: HistoryRecord[] | undefined;
  for (const generation of available) {
    if (htpasswdFacts(found, generation)?.origin !== "generated") return { generation, isKnown: true };
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
function isProven(records: readonly HistoryRecord[], generation: number): boolean {
  const own = records.filter(({ generations }) => generations?.users === generation);
  return own.length > 1 || own.some(({ kind }) => kind !== "deploy");
}
