import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import { engineTime } from "../docker/engine.js";
import { enginePost } from "../docker/engineApi.js";
import {
  type SecretReference,
  type ServiceSpec,
  type SwarmService,
  stackService,
  stackServices,
} from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { secretId } from "../docker/swarmSecrets.js";
import { ExitCode, OperatorError } from "../errors.js";
import { describe } from "../operation/convergence.js";
import {
  didNotRoll,
  registryRollSeconds,
  registryService,
  rollRegistry,
} from "../operation/registryUpdate.js";
import { failureMessage, TRANSIENT_FAULT } from "../operation/rolloutFailure.js";
import type { Session } from "../operation/stackSession.js";
import { waitForConvergence } from "../operation/stackUpdate.js";
import { inStep } from "../terminal/inStep.js";

/**
 * Users change with one secret of one service: the registry's htpasswd. Nothing else of the stack is touched, and no compose
 * file is needed, so that a change from an old checkout changes nothing but the users.
 */

/**
 * The spec of a service with another htpasswd instead of the one that it has, mounted in the same way. The order of the
 * secrets stays: a service whose secrets change their order gets new tasks with the next deploy.
 */
function withHtpasswd(spec: ServiceSpec, next: { id: string; name: string }): ServiceSpec {
  const { ContainerSpec } = spec.TaskTemplate;
  const swapped = (ContainerSpec.Secrets ?? []).map((reference) =>
    isHtpasswd(reference) ? { ...reference, SecretID: next.id, SecretName: next.name } : reference,
  );
  return {
    ...spec,
    TaskTemplate: { ...spec.TaskTemplate, ContainerSpec: { ...ContainerSpec, Secrets: swapped } },
  };
}

const isHtpasswd = ({ File }: SecretReference): boolean => File?.Name === HTPASSWD;

const REGISTRY = { id: "rollout", title: "Registry" } as const;

/** The registry's service as the engine stores it. */
async function storedRegistry(docker: Docker, stack: string): Promise<SwarmService> {
  const found = stackService(await stackServices(docker, stack), stack, "registry");
  if (found?.Spec.TaskTemplate.ContainerSpec.Secrets?.some(isHtpasswd)) return found;
  throw new OperatorError(found ? "has no htpasswd" : "is not deployed", {
    where: registryService(stack),
    remedy: "Deploy the stack first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/** Gives the registry's service another htpasswd. It keeps the login for its image that it was deployed with. */
async function swapTo(docker: Docker, stack: string, generation: number): Promise<void> {
  const { ID, Version, Spec } = await storedRegistry(docker, stack);
  const name = secretName(stack, HTPASSWD, generation);
  const id = await secretId(docker, name);
  await enginePost(
    docker,
    `/services/${ID}/update?version=${Version.Index}&registryAuthFrom=spec`,
    withHtpasswd(Spec, { id, name }),
  );
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
export async function rollUsersBack({ config, docker, reporter }: Session, previous: number): Promise<void> {
  const { stack } = config;
  const { Spec } = await storedRegistry(docker, stack);
  const inUse = Spec.TaskTemplate.ContainerSpec.Secrets?.find(isHtpasswd)?.SecretName;
  const since = await engineTime(docker);
  // Swarm may have done it by itself.
  if (inUse !== secretName(stack, HTPASSWD, previous)) {
    reporter.note("info", `Going back to generation ${previous}.`);
    await swapTo(docker, stack, previous);
  }
  const result = await waitForConvergence(docker, config, {
    only: new Set([registryService(stack)]),
    goal: "back",
    since,
    timeoutSeconds: registryRollSeconds(config),
    onProgress: (verdicts) => reporter.progress(`going back: ${describe(stack, verdicts)}`),
  });
  if (result.state !== "converged") throw didNotRoll(stack, result);
}
