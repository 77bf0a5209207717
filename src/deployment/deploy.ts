import type { Docker } from "../swarm/docker.js";
import { markHandedOver } from "../swarm/leftovers.js";
import { freeLock, takeLock } from "../swarm/lock.js";
import { type DeployContext, runSteps, type Step } from "./context.js";
import { PLAN_STEPS } from "./plan.js";
import { preflight } from "./preflight.js";
import { cleanUp, rollOut } from "./rollout.js";
import { createSecrets, prepareHost, verify } from "./steps.js";

/** What changes the host and the Swarm, in order; each step can be run again. */
const CHANGE_STEPS: readonly Step[] = [prepareHost, createSecrets, rollOut];

/** What follows once the new tasks run. */
const CLOSING_STEPS: readonly Step[] = [verify, cleanUp];

/** Time beyond the rollout's own that a deploy may hold the lock. */
const LOCK_MARGIN_SECONDS = 600;

/**
 * The whole deploy. What is in the way is found before anything is touched; a second deploy of the same stack stops
 * at the lock.
 *
 * @param cleanupDocker a docker that still works after an interruption, to free the lock
 * @throws OperatorError from the step that failed
 */
export async function deployStack(context: DeployContext, cleanupDocker: Docker): Promise<void> {
  const { config, docker, options } = context;
  await runSteps([preflight], context);
  if (options.dryRun) return runSteps(PLAN_STEPS, context);
  // Between the steps, so that a question has the terminal for itself.
  if (context.needsCredentials) context.credentials = context.given ?? (await context.obtain?.());
  const lock = await takeLock(docker, config.stack, options.timeoutSeconds + LOCK_MARGIN_SECONDS);
  try {
    await runSteps(CHANGE_STEPS, context);
    try {
      await runSteps(CLOSING_STEPS, context);
    } finally {
      await handOver(context, cleanupDocker);
    }
  } finally {
    await freeLock(cleanupDocker, lock);
  }
}

/** Shows a generated password, once, and notes in the Swarm that it was shown. */
async function handOver(
  { config, reporter, credentials, generation }: DeployContext,
  docker: Docker,
): Promise<void> {
  if (credentials?.origin !== "generated") return;
  reporter.password(credentials.user, credentials.password.reveal());
  await markHandedOver(docker, config.stack, generation);
}
