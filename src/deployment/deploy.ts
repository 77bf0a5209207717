import { ExitCode, OperatorError } from "../errors.js";
import type { Docker } from "../swarm/docker.js";
import { markHandedOver } from "../swarm/leftovers.js";
import { withLock } from "../swarm/lock.js";
import { type DeployContext, runSteps, type Step } from "./context.js";
import { addCredentials, isUnchanged } from "./generations.js";
import { recordStep } from "./history.js";
import { PLAN_STEPS } from "./plan.js";
import { preflight } from "./preflight.js";
import { cleanUp, rollOut } from "./rollout.js";
import { createSecrets, prepareHost, verify } from "./steps.js";

/** What changes the host and the Swarm, in order; each step can be run again. */
const CHANGE_STEPS: readonly Step[] = [prepareHost, createSecrets, rollOut, recordStep("deploy")];

/** What follows once the new tasks run. */
const CLOSING_STEPS: readonly Step[] = [verify, cleanUp];

/**
 * The whole deploy. What is in the way is found before anything is touched; a second deploy of the same stack stops
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
    await runSteps(CHANGE_STEPS, context);
    try {
      await runSteps(CLOSING_STEPS, context);
    } finally {
      if (context.change?.origin === "generated" && context.change.login) {
        const { user, password } = context.change.login;
        context.reporter.password(user, password.reveal());
        await markHandedOver(cleanupDocker, context.config.stack, context.generations.people);
      }
    }
  });
}

/**
 * Works on the stack while nobody else does.
 *
 * @throws OperatorError when somebody else works on it, or has changed its secrets since preflight looked
 */
export async function underLock<T>(
  context: DeployContext,
  cleanupDocker: Docker,
  work: () => Promise<T>,
): Promise<T> {
  const { config, docker } = context;
  return withLock(docker, cleanupDocker, config.stack, async () => {
    if (!(await isUnchanged(context))) {
      throw new OperatorError(`somebody else changed the secrets of ${config.stack} just now`, {
        remedy: "Nothing was touched. Run the same command again.",
        exitCode: ExitCode.locked,
      });
    }
    return work();
  });
}
