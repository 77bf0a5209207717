import { ExitCode, OperatorError } from "../errors.js";
import { COMPOSE_FILE } from "../render/files.js";
import { serviceNames } from "../stack/model.js";
import type { Verdict } from "../swarm/convergence.js";
import { removeOldConfigs, removeOldSecrets } from "../swarm/leftovers.js";
import { type SwarmService, stackServices } from "../swarm/objects.js";
import {
  type Convergence,
  changedServices,
  engineTime,
  lastLogLines,
  removeServices,
  removeStack,
  rollbackService,
  startDeploy,
  waitForConvergence,
  waitForRemoval,
} from "../swarm/stack.js";
import type { DeployContext, Step } from "./context.js";
import { discardChange } from "./steps.js";

/** A deploy that failed by a passing fault of the engine is tried once more. */
const ATTEMPTS = 2;

/**
 * Faults of the engine that the next try does not have. Engine 20.10 and others: a file of the secrets' tmpfs is still
 * open in a process that is just being forked when it is made read-only (moby, "unable to remount dir as readonly").
 */
export const PASSING_FAULT = /unable to remount dir as readonly.*device or resource busy/;

/** Time for what ran before to run again. */
const ROLLBACK_SECONDS = 120;

/** `docker stack deploy`, the wait for it, and the way back when it fails. */
export const rollOut: Step = {
  id: "rollout",
  title: "Stack",
  async run(context) {
    const { config, docker } = context;
    const before = await stackServices(docker, config.stack);
    const result = await attempt(context, before, ATTEMPTS);
    if (result === undefined) return "handed to the Swarm, not waited for";
    const services = await stackServices(docker, config.stack);
    const changed = changedServices(before, services).length;
    return `${describe(config.stack, result.verdicts)}${changed === 0 ? ", nothing changed" : ""}`;
  },
};

/** Deploys and waits; undefined when waiting was not asked for. */
async function attempt(
  context: DeployContext,
  before: readonly SwarmService[],
  attempts: number,
): Promise<Convergence | undefined> {
  const { docker, options, reporter } = context;
  const since = await engineTime(docker);
  try {
    await handOver(context);
  } catch (error) {
    if ((error as OperatorError).exitCode !== ExitCode.interrupted) await goBack(context, before, since);
    throw asRolloutFailure(error);
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

/** A docker command that failed as part of a rollout is a failure of the rollout. */
export function asRolloutFailure(error: unknown): unknown {
  if (!(error instanceof OperatorError) || error.exitCode !== ExitCode.docker) return error;
  const { message, where, remedy } = error;
  return new OperatorError(message, { where, remedy, exitCode: ExitCode.rollout, cause: error });
}

const handOver = ({ config, docker, options, generations }: DeployContext): Promise<void> =>
  startDeploy(docker, config.stack, options.folder, COMPOSE_FILE, generations, options.resolveImage);

const converge = (
  { config, docker, options, reporter }: DeployContext,
  since: string,
): Promise<Convergence> =>
  waitForConvergence(docker, config.stack, {
    goal: "forward",
    since,
    timeoutSeconds: options.timeoutSeconds,
    onProgress: (verdicts) => reporter.progress(describe(config.stack, verdicts)),
  });

/** Removes what the stack no longer has: services, secrets of older generations, configs of older content. */
export const cleanUp: Step = {
  id: "clean-up",
  title: "Clean-up",
  skip: ({ options }) => (options.wait ? undefined : "the rollout was not waited for"),
  async run({ config, docker, generations }) {
    const wanted = new Set(serviceNames(config));
    const services = await stackServices(docker, config.stack);
    const extra = services.filter(({ Spec }) => !wanted.has(Spec.Name.slice(config.stack.length + 1)));
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
  before: readonly SwarmService[],
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

/** Puts back what ran before this deploy, and says what that was. */
async function goBack(
  context: DeployContext,
  before: readonly SwarmService[],
  since: string,
): Promise<string> {
  const { config, docker, reporter } = context;
  reporter.progress("going back to what ran before");
  const now = await stackServices(docker, config.stack);
  const known = new Set(before.map(({ Spec }) => Spec.Name));
  if (known.size === 0) {
    if (now.length > 0) await docker.attempt(removeStack(config.stack));
    await waitForRemoval(docker, config.stack, 30);
  }
  const added = now.filter(({ Spec }) => !known.has(Spec.Name)).map(({ Spec }) => Spec.Name);
  if (known.size > 0 && added.length > 0) await docker.attempt(removeServices(added));
  // What the engine took back by itself is as it was already.
  const changed = changedServices(before, now).filter(({ Spec }) => known.has(Spec.Name));
  for (const { Spec } of changed) await docker.attempt(rollbackService(Spec.Name));
  const back = await waitForConvergence(docker, config.stack, {
    only: known,
    goal: "back",
    since,
    timeoutSeconds: ROLLBACK_SECONDS,
    onProgress: (verdicts) => reporter.progress(`going back: ${describe(config.stack, verdicts)}`),
  });
  await discardChange(context);
  if (known.size === 0) return "Nothing ran before, so nothing is left of this deploy.";
  return back.state === "converged"
    ? "What ran before runs again."
    : `Going back did not converge either: ${describe(config.stack, back.verdicts)}.`;
}

/** "registry 1/1, gateway 0/1 (starting)" */
export function describe(stack: string, verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ service, running, replicas, reason }) => {
      return `${service.slice(stack.length + 1)} ${running}/${replicas}${reason ? ` (${reason})` : ""}`;
    })
    .join(", ");
}
