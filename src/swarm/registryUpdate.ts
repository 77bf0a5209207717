import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { rollSeconds } from "../services/parts.js";
import type { Session } from "../session.js";
import { describe } from "./convergence.js";
import { engineTime } from "./engine.js";
import { type SwarmService, stackService, stackServices } from "./objects.js";
import { asRolloutFailure } from "./rolloutFailure.js";
import { type Convergence, waitForConvergence } from "./stackUpdate.js";

/** The name of the registry's service. */
export const registryService = (stack: string): string => `${stack}_registry`;

/** Seconds for the registry to roll, without what runs on the old tasks. */
export const registryRollSeconds = (config: Config): number => rollSeconds(config, config.registry.replicas);

/** The registry's service. @throws OperatorError when there is none */
export async function deployedRegistry(docker: Docker, stack: string): Promise<SwarmService> {
  const registry = stackService(await stackServices(docker, stack), stack, "registry");
  if (registry !== undefined) return registry;
  throw new OperatorError("is not deployed", {
    where: registryService(stack),
    remedy: "Deploy the stack first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/**
 * Changes the registry's service and waits for its tasks.
 *
 * @param change what changes it
 * @throws OperatorError when docker fails
 */
export async function rollRegistry(
  { config, docker, reporter }: Pick<Session, "config" | "docker" | "reporter">,
  change: () => Promise<unknown>,
  timeoutSeconds: number,
  goal: "forward" | "back" = "forward",
): Promise<Convergence> {
  const since = await engineTime(docker);
  try {
    await change();
  } catch (error) {
    throw error instanceof OperatorError ? asRolloutFailure(error) : error;
  }
  return waitForConvergence(docker, config, {
    only: new Set([registryService(config.stack)]),
    goal,
    since,
    timeoutSeconds,
    onProgress: (verdicts) =>
      reporter.progress(`${goal === "back" ? "going back: " : ""}${describe(config.stack, verdicts)}`),
  });
}

/** The error for a registry that did not converge. */
export const didNotRoll = (stack: string, { verdicts }: Convergence): OperatorError =>
  new OperatorError(`did not roll: ${describe(stack, verdicts) || "it is not deployed"}`, {
    where: registryService(stack),
    remedy: "See what it says with: hephaestus logs registry",
    exitCode: ExitCode.rollout,
  });
