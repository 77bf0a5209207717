import { isDeepStrictEqual } from "node:util";
import { composeServices } from "../diff/composeFile.js";
import { engineApi } from "../docker/engineApi.js";
import { stackServices } from "../docker/objects.js";
import { ExitCode, OperatorError } from "../errors.js";
import { type Baseline, removeBaseline, storedServices } from "../operation/baseline.js";
import type { DeployContext, Step } from "../operation/context.js";
import { describe } from "../operation/convergence.js";
import { removeOldConfigs, removeOldSecrets } from "../operation/leftovers.js";
import { foreignServices } from "../operation/ownership.js";
import { failureMessage, TRANSIENT_FAULT } from "../operation/rolloutFailure.js";
import {
  type Convergence,
  engineTime,
  removeServices,
  startDeploy,
  waitForConvergence,
} from "../operation/stackUpdate.js";
import { COMPOSE_FILE } from "../stack.js";
import { discardChange } from "../users/secretSteps.js";
import { chooseBaseline, rollBackRollout } from "./rollBackRollout.js";

/** A deploy that fails with a transient fault of the engine is tried again. */
const ATTEMPTS = 2;

/** `docker stack deploy`, waiting for it, and the rollback if it fails. */
export const rollOut: Step = {
  id: "rollout",
  title: "Stack",
  async run(context) {
    const { config, docker } = context;
    await refuseForeignNames(context);
    const api = await engineApi(docker);
    const before = await chooseBaseline(docker, api, config.stack);
    const result = await attempt(context, before, ATTEMPTS);
    await removeBaseline(docker, config.stack);
    if (result === undefined) return "handed to the Swarm, not waiting";
    const services = await storedServices(api, config.stack);
    const isSame = isDeepStrictEqual(templates(before), templates(services.map(({ Spec }) => Spec)));
    return `${describe(config.stack, result.verdicts)}${isSame ? ", nothing changed" : ""}`;
  },
};

/** The parts of the specs that decide about tasks, by service. */
const templates = (specs: Baseline): Map<string, unknown> =>
  new Map(specs.map(({ Name, TaskTemplate }) => [Name, TaskTemplate]));

/** Full names of the services that the compose file has. */
const wantedServices = ({ config, files }: DeployContext): Set<string> =>
  new Set(
    composeServices(files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "").map(
      (name) => `${config.stack}_${name}`,
    ),
  );

/** `docker stack deploy` would take such a service over. Preflight saw none, but that was before the lock. */
async function refuseForeignNames(context: DeployContext): Promise<void> {
  const { config, docker } = context;
  const wanted = wantedServices(context);
  const taken = (await foreignServices(docker, config.stack)).filter((name) => wanted.has(name));
  if (taken.length === 0) return;
  await discardChange(context);
  throw new OperatorError(`another service has the name ${taken.join(", ")}`, {
    where: config.stack,
    remedy: "Set another stack name in hephaestus.yaml. Nothing was deployed.",
    exitCode: ExitCode.preflight,
  });
}

/** Deploys and waits; undefined with --no-wait. */
async function attempt(
  context: DeployContext,
  before: Baseline,
  attempts: number,
): Promise<Convergence | undefined> {
  const { docker, options, reporter } = context;
  const since = await engineTime(docker);
  try {
    await handOver(context);
  } catch (error) {
    if (!(error instanceof OperatorError) || error.exitCode === ExitCode.interrupted) throw error;
    const { message, where, exitCode, remedy } = error;
    const outcome = await rollBackRollout(context, before, since);
    throw new OperatorError(message, {
      where,
      exitCode: exitCode === ExitCode.docker ? ExitCode.rollout : exitCode,
      cause: error,
      remedy: `${outcome} ${remedy ?? ""}`,
    });
  }
  if (!options.wait) return undefined;
  const result = await converge(context, since);
  if (result.state === "converged") return result;
  if (attempts > 1 && result.verdicts.some(({ reason }) => TRANSIENT_FAULT.test(reason))) {
    reporter.progress("a transient fault of the engine, trying again");
    return attempt(context, before, attempts - 1);
  }
  return fail(context, before, since, result);
}

const handOver = ({ config, docker, options, generations }: DeployContext): Promise<void> =>
  startDeploy(docker, config.stack, options.folder, COMPOSE_FILE, generations, options.resolveImage);

function converge(context: DeployContext, since: string): Promise<Convergence> {
  const { config, docker, options, reporter } = context;
  return waitForConvergence(docker, config, {
    only: wantedServices(context),
    goal: "forward",
    since,
    timeoutSeconds: options.timeoutSeconds,
    onProgress: (verdicts) => reporter.progress(describe(config.stack, verdicts)),
  });
}

/** Removes services that the config no longer has, secrets of older generations, and configs with older content. */
export const cleanUp: Step = {
  id: "clean-up",
  title: "Clean-up",
  skip: ({ options }) => (options.wait ? undefined : "the rollout was not waited for"),
  async run(context) {
    const { config, docker, generations } = context;
    const wanted = wantedServices(context);
    const services = await stackServices(docker, config.stack);
    const extra = services.filter(({ Spec }) => !wanted.has(Spec.Name));
    const names = extra.map(({ Spec }) => Spec.Name);
    if (names.length > 0) await docker.run(removeServices(names));
    const rest = services.filter((service) => !extra.includes(service));
    const removed = [
      ...names,
      ...(await removeOldSecrets(docker, config.stack, generations)),
      ...(await removeOldConfigs(docker, config.stack, rest)),
    ];
    return removed.length === 0 ? "nothing left over" : `removed ${removed.join(", ")}`;
  },
};

/** Rolls back and throws an error with the cause. */
async function fail(
  context: DeployContext,
  before: Baseline,
  since: string,
  result: Convergence,
): Promise<never> {
  const message = await failureMessage(context, result);
  const outcome = await rollBackRollout(context, before, since);
  throw new OperatorError(message, {
    where: context.config.stack,
    remedy: `${outcome} Fix the cause above, then run hephaestus deploy again.`,
    exitCode: ExitCode.rollout,
  });
}
