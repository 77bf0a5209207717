import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { describe } from "../swarm/convergence.js";
import { type SecretReference, type SwarmService, updateTasks } from "../swarm/objects.js";
import {
  deployedRegistry,
  didNotRoll,
  registryRollSeconds,
  registryService,
  rollRegistry,
} from "../swarm/registryUpdate.js";
import { failureMessage, TRANSIENT_FAULT } from "../swarm/rolloutFailure.js";
import { secretId } from "../swarm/secrets.js";
import { inStep } from "../terminal/inStep.js";

/**
 * Users change with one secret of one service: the registry's htpasswd. Nothing else of the stack is touched,
 * and no compose file is needed, so that a change from an old checkout changes nothing but the users.
 */

const isHtpasswd = ({ File }: SecretReference): boolean => File?.Name === HTPASSWD;

const REGISTRY = { id: "rollout", title: "Registry" } as const;

/** The registry's service, which has an htpasswd. */
async function registryWithUsers(docker: Docker, stack: string): Promise<SwarmService> {
  const registry = await deployedRegistry(docker, stack);
  if (registry.Spec.TaskTemplate.ContainerSpec.Secrets?.some(isHtpasswd)) return registry;
  throw new OperatorError("has no htpasswd", {
    where: registryService(stack),
    remedy: "Deploy the stack first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/**
 * Gives the registry's service another htpasswd, mounted in the same way. The order of the secrets stays: a
 * service whose secrets change their order gets new tasks with the next deploy.
 */
async function swapTo(docker: Docker, stack: string, generation: number): Promise<void> {
  const registry = await registryWithUsers(docker, stack);
  const { ContainerSpec } = registry.Spec.TaskTemplate;
  const SecretName = secretName(stack, HTPASSWD, generation);
  const SecretID = await secretId(docker, SecretName);
  const Secrets = ContainerSpec.Secrets?.map((reference) =>
    isHtpasswd(reference) ? { ...reference, SecretID, SecretName } : reference,
  );
  await updateTasks(docker, registry, { ContainerSpec: { ...ContainerSpec, Secrets } });
}

/** Rolls the registry onto a generation of the htpasswd. */
export const rollUsers = (session: Session, generation: number): Promise<string> =>
  inStep(session.reporter, REGISTRY, async () => {
    const { config, docker, options, reporter } = session;
    const roll = () =>
      rollRegistry(session, () => swapTo(docker, config.stack, generation), options.timeoutSeconds);
    let result = await roll();
    if (result.state === "failed" && result.verdicts.some(({ reason }) => TRANSIENT_FAULT.test(reason))) {
      reporter.progress("a transient fault of the engine, trying again");
      result = await roll();
    }
    if (result.state === "converged") return describe(config.stack, result.verdicts);
    throw new OperatorError(await failureMessage(session, result), {
      where: registryService(config.stack),
      remedy: "Fix the cause above and run the same command again.",
      exitCode: ExitCode.rollout,
    });
  });

/** What rollUsers would do. */
export const showUserRoll = ({ reporter }: Session, generation: number): Promise<string> =>
  inStep(
    reporter,
    REGISTRY,
    async () => `would be rolled onto generation ${generation}; nothing else would change`,
  );

/**
 * Gives the registry the htpasswd from before again, if it does not have it, and waits until it runs with it.
 *
 * @param session whose docker still works after an interruption
 * @param previous the generation from before
 * @throws OperatorError when that does not succeed
 */
export async function rollUsersBack(session: Session, previous: number): Promise<void> {
  const { config, docker, reporter } = session;
  const { stack } = config;
  const goBack = async () => {
    const { Spec } = await registryWithUsers(docker, stack);
    const inUse = Spec.TaskTemplate.ContainerSpec.Secrets?.find(isHtpasswd)?.SecretName;
    // Swarm may have done it by itself.
    if (inUse === secretName(stack, HTPASSWD, previous)) return;
    reporter.note("info", `Going back to generation ${previous}.`);
    await swapTo(docker, stack, previous);
  };
  const result = await rollRegistry(session, goBack, registryRollSeconds(config), "back");
  if (result.state !== "converged") throw didNotRoll(stack, result);
}
