import type { Docker } from "../docker/run.js";
import { recordStep } from "../history/recordSteps.js";
import { pullOwnImages } from "../mirror/ownImageStep.js";
import { type DeployContext, runSteps, type Step } from "../operation/context.js";
import { markHandedOver } from "../operation/leftovers.js";
import { verify } from "../registry/frontDoorSteps.js";
import { addCredentials } from "../users/generations.js";
import { createGivenSecrets } from "../users/givenSecretSteps.js";
import { createSecrets } from "../users/secretSteps.js";
import { createStorageKeys } from "../users/storageKeySteps.js";
import { underLock } from "../users/underLock.js";
import { checkSplit } from "./checkSplit.js";
import { PLAN_STEPS } from "./planSteps.js";
import { preflight } from "./preflight.js";
import { prepareHost } from "./prepareHost.js";
import { restartMirror } from "./restartMirror.js";
import { cleanUp, rollOut } from "./rollout.js";

/**
 * Steps that change the host and the Swarm, in order. Each can be run again.
 *
 * @param note of the record in the history
 */
export const changeSteps = (cleanupDocker: Docker, note?: string): readonly Step[] => [
  prepareHost(cleanupDocker),
  createSecrets,
  createStorageKeys,
  createGivenSecrets,
  pullOwnImages(cleanupDocker),
  rollOut,
  recordStep("deploy", note),
];

/** Steps that follow once the new tasks run. */
export const CLOSING_STEPS: readonly Step[] = [checkSplit, verify, restartMirror, cleanUp];

/**
 * The whole deploy. Obstacles are found before anything is changed. A second deploy of the same stack stops
 * at the lock.
 *
 * @param cleanupDocker a docker that still works after an interruption, to free the lock
 * @throws OperatorError from the step that failed
 */
export async function deployStack(context: DeployContext, cleanupDocker: Docker): Promise<void> {
  await runSteps([preflight], context);
  if (context.options.dryRun) return runSteps(PLAN_STEPS, context);
  // Between the steps, so that a question has the terminal for itself.
  if (context.needsCredentials) {
    const credentials = context.given ?? (await context.obtain?.());
    if (credentials) await addCredentials(context, credentials);
  }
  await underLock(context, cleanupDocker, async () => {
    await runSteps(changeSteps(cleanupDocker), context);
    try {
      await runSteps(CLOSING_STEPS, context);
    } finally {
      if (context.change?.origin === "generated" && context.change.login) {
        const { user, password } = context.change.login;
        await context.reporter.password(user, password.reveal());
        await markHandedOver(cleanupDocker, context.config.stack, context.generations.people);
      }
    }
  });
}
