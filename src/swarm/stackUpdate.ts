import { setTimeout as sleep } from "node:timers/promises";
import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { type Generations, generationVariables } from "../credentials/secretKinds.js";
import { engineRemove } from "../docker/engineApi.js";
import { isFinal } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import { OperatorError } from "../errors.js";
import type { ResolveImage } from "../session.js";
import { judge, type Verdict } from "./convergence.js";
import { listNetworks, stackServices, tasksOf } from "./objects.js";
import { readServiceLog } from "./serviceLogs.js";

export function stackDeployArguments(
  stack: string,
  composeFile: string,
  resolveImage: ResolveImage,
): string[] {
  return [
    "stack",
    "deploy",
    "--with-registry-auth",
    "--resolve-image",
    resolveImage,
    "--compose-file",
    composeFile,
    stack,
  ];
}

const LAST_LINES = 10;

/**
 * Refusals that pass: a manager lists a network for some seconds after another manager has removed it, and
 * the engine changed a service (its update status) between the moment when docker read it and the update.
 */
const PASSING_REFUSAL = /network \S+ not found|update out of sequence/;
const DEPLOY_ATTEMPTS = 5;
const DEPLOY_PAUSE_MILLISECONDS = 2000;

/** Runs `docker stack deploy`. It returns before the tasks run; wait with waitForConvergence. */
export async function startDeploy(
  docker: Docker,
  stack: string,
  folder: string,
  composeFile: string,
  generations: Generations,
  resolveImage: ResolveImage,
): Promise<void> {
  const options = { directory: folder, environment: generationVariables(generations) };
  for (let attempt = 1; ; attempt++) {
    try {
      await docker.run(stackDeployArguments(stack, composeFile, resolveImage), options);
      return;
    } catch (error) {
      const isPassing = error instanceof OperatorError && PASSING_REFUSAL.test(error.message);
      if (!isPassing || attempt === DEPLOY_ATTEMPTS) throw error;
      await sleep(DEPLOY_PAUSE_MILLISECONDS);
    }
  }
}

export interface Waiting {
  /** Services to wait for; all services of the stack by default. */
  only?: ReadonlySet<string>;
  goal: "forward" | "back";
  since: string;
  timeoutSeconds: number;
  onProgress(verdicts: readonly Verdict[]): void;
}

export type Convergence = { state: "converged" | "failed" | "timeout"; verdicts: Verdict[] };

const POLL_MILLISECONDS = 1000;

/** An engine that restarts does not answer for this long, and its tasks keep running. */
const SILENCE_SECONDS = 60;

/**
 * Polls until every service has converged twice in a row, one has failed, or the time is over. Where tasks
 * are probed often, it polls often too.
 *
 * @throws OperatorError when docker does not answer for longer than an engine needs to restart
 */
export async function waitForConvergence(
  docker: Docker,
  config: Pick<Config, "stack" | "swarm">,
  waiting: Waiting,
): Promise<Convergence> {
  const pause = Math.min(POLL_MILLISECONDS, secondsOf(config.swarm.probe) * 500);
  const end = Date.now() + waiting.timeoutSeconds * 1000;
  let heard = Date.now();
  let verdicts: Verdict[] = [];
  for (let rounds = 0; ; ) {
    try {
      verdicts = await readVerdicts(docker, config.stack, waiting);
      heard = Date.now();
      waiting.onProgress(verdicts);
      if (verdicts.some(({ state }) => state === "failed")) return { state: "failed", verdicts };
      const settled = verdicts.length > 0 || waiting.only?.size === 0;
      rounds = settled && verdicts.every(({ state }) => state === "converged") ? rounds + 1 : 0;
      if (rounds >= 2) return { state: "converged", verdicts };
    } catch (error) {
      if (isFinal(error) || Date.now() > heard + SILENCE_SECONDS * 1000) throw error;
      rounds = 0;
    }
    if (Date.now() > end) return { state: "timeout", verdicts };
    await sleep(pause);
  }
}

async function readVerdicts(docker: Docker, stack: string, waiting: Waiting): Promise<Verdict[]> {
  const services = (await stackServices(docker, stack)).filter(
    ({ Spec }) => waiting.only === undefined || waiting.only.has(Spec.Name),
  );
  const tasks = await tasksOf(docker, services);
  return services.map((service) => judge(service, tasks(service), waiting.since, waiting.goal));
}

/** The last log lines of a service; empty where there are none. */
export async function lastLogLines(docker: Docker, service: string): Promise<string[]> {
  const { lines, missing } = await readServiceLog(docker, service, { tail: LAST_LINES });
  return [...lines.map(({ text }) => text).filter(Boolean), ...missing].slice(-LAST_LINES);
}

/**
 * Removes networks. The tasks of services that were just removed still hold them for a while, so it is tried
 * again.
 *
 * @returns names of those that could not be removed
 */
export async function removeNetworks(
  docker: Docker,
  names: readonly string[],
  timeoutSeconds: number,
): Promise<string[]> {
  const end = Date.now() + timeoutSeconds * 1000;
  for (let left = names; ; await sleep(POLL_MILLISECONDS)) {
    const still: string[] = [];
    for (const name of left) {
      if (!(await engineRemove(docker, `/networks/${name}`))) still.push(name);
    }
    left = still;
    if (left.length === 0) await waitForAbsence(docker, names, end);
    if (left.length === 0 || Date.now() > end) return [...left];
  }
}

/** Docker answers before a network is removed, and the next deploy would fail on it. */
async function waitForAbsence(docker: Docker, names: readonly string[], end: number): Promise<void> {
  const areThere = async () => {
    const present = (await listNetworks(docker)).map(({ Name }) => Name);
    return names.some((name) => present.includes(name));
  };
  while (Date.now() < end && (await areThere())) await sleep(POLL_MILLISECONDS);
}
