import type { Docker } from "../docker/run.js";
import { candidates, htpasswdFacts, type StackSecrets } from "./generations.js";
import { unseenUsers } from "./handover.js";

/** The generation of the htpasswd that a run starts from. */
export interface KeptUsers {
  generation: number;
  /** Users whose generated passwords nobody was shown, as far as the Swarm can tell. */
  unseen: readonly string[];
}

/**
 * The generation to start from: the one in use, then the newest. One with a generated password that a killed run never showed is
 * of no use if the one before is still there. If no other is left, it is kept all the same: that nothing proves its hand-over
 * any more (a clean-up removes unused configs) is no reason to lose a user.
 */
export async function keptUsers(docker: Docker, found: StackSecrets): Promise<KeptUsers | undefined> {
  let best: KeptUsers | undefined;
  for (const generation of candidates(found)) {
    const unseen = await unseenUsers(docker, found.stack, htpasswdFacts(found, generation));
    if (best === undefined || unseen.length < best.unseen.length) best = { generation, unseen };
    if (unseen.length === 0) break;
  }
  return best;
}
