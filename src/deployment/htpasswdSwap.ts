import { HTPASSWD, secretName } from "../credentials/names.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Docker } from "../swarm/docker.js";
import { type SecretReference, stackService, stackServices } from "../swarm/objects.js";
import { type Convergence, engineTime, waitForConvergence } from "../swarm/stack.js";
import type { DeployContext, Step } from "./context.js";
import { didNotRoll, registryOf, rollRegistry, updateRegistry } from "./registryRoll.js";
import { describe, failureMessage, PASSING_FAULT } from "./rollout.js";

/**
 * Users change with one secret of one service: the registry's htpasswd. Nothing else of the stack is touched, and no compose
 * file is needed, so that a change from an old checkout changes nothing but the users.
 */

/** Seconds for the registry to run with the htpasswd from before again. */
const BACK_SECONDS = 120;

/** The htpasswd that the registry's service refers to. */
async function htpasswdInUse(docker: Docker, stack: string): Promise<SecretReference> {
  const registry = stackService(await stackServices(docker, stack), stack, "registry");
  const secrets = registry?.Spec.TaskTemplate.ContainerSpec.Secrets ?? [];
  const found = secrets.find(({ File }) => File?.Name === HTPASSWD);
  if (found) return found;
  throw new OperatorError(registry ? "has no htpasswd" : "is not deployed", {
    where: registryOf(stack),
    remedy: "Deploy the stack first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/**
 * The docker command that gives the registry's service another htpasswd, mounted as the one that it has.
 *
 * @param inUse how the service refers to the one that it has
 * @param next name of the other secret
 */
export function swapHtpasswd(stack: string, { SecretName, File }: SecretReference, next: string): string[] {
  const { Name = HTPASSWD, UID = "0", GID = "0", Mode = 0o444 } = File ?? {};
  const mount = `source=${next},target=${Name},uid=${UID},gid=${GID},mode=0${Mode.toString(8)}`;
  return updateRegistry(stack, ["--secret-rm", SecretName, "--secret-add", mount]);
}

/** Rolls the registry onto the new htpasswd. */
export const swapUsers: Step = {
  id: "rollout",
  title: "Registry",
  async run(context) {
    const { config, docker, generations, options, reporter } = context;
    const next = secretName(config.stack, HTPASSWD, generations.people);
    const swap = async (): Promise<Convergence> => {
      const command = swapHtpasswd(config.stack, await htpasswdInUse(docker, config.stack), next);
      return rollRegistry(context, docker, command, options.timeoutSeconds);
    };
    let result = await swap();
    if (result.state === "failed" && result.verdicts.some(({ reason }) => PASSING_FAULT.test(reason))) {
      reporter.progress("a passing fault of the engine, trying once more");
      result = await swap();
    }
    if (result.state === "converged") return describe(config.stack, result.verdicts);
    throw new OperatorError(await failureMessage(context, result), {
      where: registryOf(config.stack),
      remedy: "Fix the cause above and run the same command again.",
      exitCode: ExitCode.rollout,
    });
  },
};

/**
 * Gives the registry the htpasswd from before again, where it does not have it, and waits until it runs with it.
 *
 * @param docker one that still works after an interruption
 * @param previous the generation from before
 * @throws OperatorError when that does not succeed
 */
export async function swapBack(context: DeployContext, docker: Docker, previous: number): Promise<void> {
  const { stack } = context.config;
  const before = secretName(stack, HTPASSWD, previous);
  const inUse = await htpasswdInUse(docker, stack);
  const since = await engineTime(docker);
  // Swarm may have done it by itself.
  if (inUse.SecretName !== before) {
    context.reporter.note("info", `Going back to generation ${previous}.`);
    await docker.run(swapHtpasswd(stack, inUse, before));
  }
  const result = await waitForConvergence(docker, stack, {
    only: new Set([registryOf(stack)]),
    goal: "back",
    since,
    timeoutSeconds: BACK_SECONDS,
    onProgress: (verdicts) => context.reporter.progress(`going back: ${describe(stack, verdicts)}`),
  });
  if (result.state !== "converged") throw didNotRoll(stack, result);
}
