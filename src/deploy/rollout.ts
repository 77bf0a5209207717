import { isDeepStrictEqual } from "node:util";
import { wantedServices } from "../diff/composedService.js";
import { ExitCode, OperatorError } from "../errors.js";
import { discardSecrets } from "../secrets/removeSecrets.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import { COMPOSE_FILE } from "../stack.js";
import { type Baseline, removeBaseline } from "../swarm/baseline.js";
import { describe } from "../swarm/convergence.js";
import { engineTime } from "../swarm/engine.js";
import { stackServices } from "../swarm/objects.js";
import { foreignServices } from "../swarm/ownership.js";
import { asRolloutFailure, failureMessage, TRANSIENT_FAULT } from "../swarm/rolloutFailure.js";
import { type Convergence, startDeploy, waitForConvergence } from "../swarm/stackUpdate.js";
import { inStep } from "../terminal/inStep.js";
import { chooseBaseline, rollBackRollout } from "./rollBackRollout.js";

/** A deploy that fails with a transient fault of the engine is tried again. */
const ATTEMPTS = 2;

/** `docker stack deploy`, waiting for it, and the rollback if it fails. */
export const rollOut = (session: Session, secrets: SecretsPlan): Promise<string> =>
  inStep(session.reporter, { id: "rollout", title: "Stack" }, async () => {
    const { docker, config } = session;
    const wanted = wantedServices(session);
    await refuseForeignNames(session, wanted, secrets);
    const before = await chooseBaseline(docker, config.stack);
    const result = await attempt(session, wanted, secrets, before, ATTEMPTS);
    await removeBaseline(docker, config.stack);
    if (result === undefined) return "handed to the Swarm, not waiting";
    const services = await stackServices(docker, config.stack);
    const isSame = isDeepStrictEqual(templates(before), templates(services.map(({ Spec }) => Spec)));
    return `${describe(config.stack, result.verdicts)}${isSame ? ", nothing changed" : ""}`;
  });

/** The parts of the specs that decide about tasks, by service. */
const templates = (specs: Baseline): Map<string, unknown> =>
  new Map(specs.map(({ Name, TaskTemplate }) => [Name, TaskTemplate]));

/** `docker stack deploy` would take such a service over. Preflight saw none, but that was before the lock. */
async function refuseForeignNames(
  session: Session,
  wanted: ReadonlySet<string>,
  { accounts, given }: SecretsPlan,
): Promise<void> {
  const { stack } = session.config;
  const taken = (await foreignServices(session.docker, stack)).filter((name) => wanted.has(name));
  if (taken.length === 0) return;
  await discardSecrets(session.docker, stack, [...accounts, ...given]);
  throw new OperatorError(`another service has the name ${taken.join(", ")}`, {
    where: stack,
    remedy: "Set another stack name in hephaestus.yaml. Nothing was deployed.",
    exitCode: ExitCode.preflight,
  });
}

/** Deploys and waits; undefined with --no-wait. */
async function attempt(
  session: Session,
  wanted: ReadonlySet<string>,
  secrets: SecretsPlan,
  before: Baseline,
  attempts: number,
): Promise<Convergence | undefined> {
  const { config, docker, options, reporter } = session;
  const since = await engineTime(docker);
  try {
    const { folder, resolveImage } = options;
    await startDeploy(docker, config.stack, folder, COMPOSE_FILE, secrets.generations, resolveImage);
  } catch (error) {
    if (!(error instanceof OperatorError) || error.exitCode === ExitCode.interrupted) throw error;
    throw asRolloutFailure(error, await rollBackRollout(session, secrets, before, since));
  }
  if (!options.wait) return undefined;
  const result = await waitForConvergence(docker, config, {
    only: wanted,
    goal: "forward",
    since,
    timeoutSeconds: options.timeoutSeconds,
    onProgress: (verdicts) => reporter.progress(describe(config.stack, verdicts)),
  });
  if (result.state === "converged") return result;
  if (attempts > 1 && result.verdicts.some(({ reason }) => TRANSIENT_FAULT.test(reason))) {
    reporter.progress("a transient fault of the engine, trying again");
    return attempt(session, wanted, secrets, before, attempts - 1);
  }
  const message = await failureMessage(session, result);
  const outcome = await rollBackRollout(session, secrets, before, since);
  throw new OperatorError(message, {
    where: config.stack,
    remedy: `${outcome} Fix the cause above, then run hephaestus deploy again.`,
    exitCode: ExitCode.rollout,
  });
}
