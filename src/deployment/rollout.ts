import { isDeepStrictEqual } from "node:util";
import { ExitCode, OperatorError } from "../errors.js";
import { COMPOSE_FILE } from "../render/files.js";
import { type Baseline, removeBaseline, storedServices } from "../swarm/baseline.js";
import { composeServices } from "../swarm/composeFile.js";
import { describe } from "../swarm/convergence.js";
import { engineApi } from "../swarm/engineApi.js";
import { removeOldConfigs, removeOldSecrets } from "../swarm/leftovers.js";
import { stackServices } from "../swarm/objects.js";
import { foreignServices } from "../swarm/ownership.js";
import {
  type Convergence,
  engineTime,
  lastLogLines,
  removeServices,
  startDeploy,
  waitForConvergence,
} from "../swarm/stack.js";
import type { DeployContext, Step } from "./context.js";
import { chooseBaseline, goBack } from "./goingBack.js";
import { discardChange } from "./steps.js";

/** A deploy that failed by a passing fault of the engine is tried once more. */
const ATTEMPTS = 2;

/**
 * Faults of the engine that the next try does not have. Engine 20.10 and others: a file of the secrets' tmpfs is still
 * open in a process that is just being forked when it is made read-only (moby, "unable to remount dir as readonly").
 */
export const PASSING_FAULT = /unable to remount dir as readonly.*device or resource busy/;

/** `docker stack deploy`, the wait for it, and the way back when it fails. */
export const rollOut: Step = {
  id: "rollout",
  title: "Stack",
  async run(context) {
    const { config, docker } = context;
    await refuseForeignNames(context);
    const before = await chooseBaseline(docker, config.stack);
    const result = await attempt(context, before, ATTEMPTS);
    await removeBaseline(docker, config.stack);
    if (result === undefined) return "handed to the Swarm, not waited for";
    const services = await storedServices(await engineApi(docker), config.stack);
    const isSame = isDeepStrictEqual(templates(before), templates(services.map(({ Spec }) => Spec)));
    return `${describe(config.stack, result.verdicts)}${isSame ? ", nothing changed" : ""}`;
  },
};

/** What decides about a service's tasks, by its name. */
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

/** Deploys and waits; undefined when waiting was not asked for. */
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
    const outcome = await goBack(context, before, since);
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
  if (attempts > 1 && result.verdicts.some(({ reason }) => PASSING_FAULT.test(reason))) {
    reporter.progress("a passing fault of the engine, trying once more");
    return attempt(context, before, attempts - 1);
  }
  return fail(context, before, since, result);
}

/**
 * A docker command that failed as part of a rollout is a failure of the rollout.
 *
 * @param outcome what became of it, as a sentence in front of the remedy
 */
export function asRolloutFailure(error: OperatorError, outcome = ""): OperatorError {
  const { message, where, remedy } = error;
  const exitCode = error.exitCode === ExitCode.docker ? ExitCode.rollout : error.exitCode;
  return new OperatorError(message, {
    where,
    remedy: `${outcome} ${remedy ?? ""}`.trim(),
    exitCode,
    cause: error,
  });
}

const handOver = ({ config, docker, options, generations }: DeployContext): Promise<void> =>
  startDeploy(docker, config.stack, options.folder, COMPOSE_FILE, generations, options.resolveImage);

function converge(context: DeployContext, since: string): Promise<Convergence> {
  const { config, docker, options, reporter } = context;
  return waitForConvergence(docker, config.stack, {
    only: wantedServices(context),
    goal: "forward",
    since,
    timeoutSeconds: options.timeoutSeconds,
    onProgress: (verdicts) => reporter.progress(describe(config.stack, verdicts)),
  });
}

/** Removes what the stack no longer has: services, secrets of older generations, configs of older content. */
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

/** Reports why it failed, goes back, and throws. */
async function fail(
  context: DeployContext,
  before: Baseline,
  since: string,
  result: Convergence,
): Promise<never> {
  const message = await failureMessage(context, result);
  const outcome = await goBack(context, before, since);
  throw new OperatorError(message, {
    where: context.config.stack,
    remedy: `${outcome} Mend the cause above and run hephaestus deploy again.`,
    exitCode: ExitCode.rollout,
  });
}

/** Why services did not converge: the reasons of their tasks, and the last lines of their logs. */
export async function failureMessage(
  { docker, options }: Pick<DeployContext, "docker" | "options">,
  { state, verdicts }: Convergence,
): Promise<string> {
  const guilty = verdicts.filter(
    (verdict) => verdict.state === (state === "failed" ? "failed" : "converging"),
  );
  const reasons: string[] = [];
  for (const { service, reason, running, replicas } of guilty) {
    reasons.push(`${service}: ${running} of ${replicas} tasks run: ${reason}`);
    for (const line of await lastLogLines(docker, service)) reasons.push(`    ${line}`);
  }
  const head =
    state === "timeout" ? `not converged within ${options.timeoutSeconds} seconds` : "the rollout failed";
  return [head, ...reasons].join("\n");
}
