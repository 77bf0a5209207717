import { differenceLines } from "../diff/differenceLines.js";
import { serviceDifferences } from "../diff/serviceDifferences.js";
import { verify } from "../frontDoor/frontDoor.js";
import { recordState } from "../history/recordSteps.js";
import { handOver } from "../secrets/handover.js";
import { createOperatorSecrets, createSecrets, showSecrets } from "../secrets/secretSteps.js";
import { underLock } from "../secrets/underLock.js";
import type { Session } from "../session.js";
import { storeNewLogin } from "../swarm/storedLogins.js";
import { inStep } from "../terminal/inStep.js";
import { checkSplit } from "./checkSplit.js";
import { cleanUp } from "./cleanUp.js";
import type { DeployPlan } from "./preflight.js";
import { prepareHost, showHost } from "./prepareHost.js";
import { pullOwnImages } from "./pullOwnImages.js";
import { restartMirror } from "./restartMirror.js";
import { rollOut } from "./rollout.js";

/**
 * Does what was planned, under the lock. Each step can be run again.
 *
 * @param note of the record in the history
 */
export async function applyPlan(session: Session, plan: DeployPlan, note?: string): Promise<void> {
  const { secrets, host } = plan;
  await underLock(session, secrets.found, async () => {
    await prepareHost(session, host);
    await createSecrets(session, secrets);
    await createOperatorSecrets(session, secrets);
    await pullOwnImages(session);
    await rollOut(session, secrets);
    await recordState(session, "deploy", { ...secrets, note: note ?? secrets.note });
    try {
      await checkSplit(session);
      await verify(session, secrets);
      if (secrets.kept !== undefined) await storeNewLogin(session, secrets.change?.login);
      await restartMirror(session);
      await cleanUp(session, secrets.generations);
    } finally {
      // The new tasks run with it, whatever else is wrong.
      await handOver(session, secrets, session.reporter.password);
    }
  });
}

/** The steps of --dry-run: each says what the real step would do, and changes nothing. */
export async function showPlan(session: Session, { secrets, host }: DeployPlan): Promise<void> {
  await showHost(session, host);
  await showSecrets(session, secrets);
  await inStep(session.reporter, { id: "rollout", title: "Stack" }, async () => {
    const { resolveImage } = session.options;
    const differences = await serviceDifferences(session, secrets.generations, resolveImage);
    if (differences.length === 0) return "nothing would change";
    return `would change\n${differenceLines(differences).join("\n")}`;
  });
}
