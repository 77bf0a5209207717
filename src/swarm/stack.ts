import { setTimeout as sleep } from "node:timers/promises";
import { type Generations, generationVariables } from "../credentials/names.js";
import { ExitCode, type OperatorError } from "../errors.js";
import { judge, type Verdict } from "./convergence.js";
import type { Docker } from "./docker.js";
import { STACK_LABEL, type SwarmService, stackServices, tasksOf } from "./objects.js";

export type ResolveImage = "always" | "changed" | "never";

export function deployStack(stack: string, composeFile: string, resolveImage: ResolveImage): string[] {
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

export const rollbackService = (service: string) => ["service", "rollback", "--detach", "--quiet", service];
export const removeServices = (services: readonly string[]) => ["service", "rm", ...services];
export const removeStack = (stack: string) => ["stack", "rm", stack];
export const serviceLogs = (service: string) => ["service", "logs", "--raw", "--tail", "10", service];

/** Hands the stack to the Swarm. It returns before tasks run: wait with waitForConvergence. */
export async function startDeploy(
  docker: Docker,
  stack: string,
  folder: string,
  composeFile: string,
  generations: Generations,
  resolveImage: ResolveImage,
): Promise<void> {
  await docker.run(deployStack(stack, composeFile, resolveImage), {
    directory: folder,
    environment: generationVariables(generations),
  });
}

/** The engine's clock, as an ISO time: what its tasks' times are compared with. */
export async function engineTime(docker: Docker): Promise<string> {
  return (await docker.run(["info", "--format", "{{.SystemTime}}"])).trim();
}

export interface Waiting {
  /** Which of the stack's services to wait for; all without it. */
  only?: ReadonlySet<string>;
  goal: "forward" | "back";
  since: string;
  timeoutSeconds: number;
  onProgress(verdicts: readonly Verdict[]): void;
}

export type Convergence = { state: "converged" | "failed" | "timeout"; verdicts: Verdict[] };

const POLL_MILLISECONDS = 1000;

/** An engine that restarts does not answer for so long, and its tasks go on. */
const SILENCE_SECONDS = 60;

/**
 * Polls until every service has converged, twice in a row, or one has failed, or the time is over.
 *
 * @throws OperatorError when docker does not answer for longer than an engine needs to restart
 */
export async function waitForConvergence(
  docker: Docker,
  stack: string,
  waiting: Waiting,
): Promise<Convergence> {
  const end = Date.now() + waiting.timeoutSeconds * 1000;
  let heard = Date.now();
  let verdicts: Verdict[] = [];
  for (let rounds = 0; ; ) {
    try {
      verdicts = await look(docker, stack, waiting);
      heard = Date.now();
      waiting.onProgress(verdicts);
      if (verdicts.some(({ state }) => state === "failed")) return { state: "failed", verdicts };
      const settled = verdicts.length > 0 || waiting.only?.size === 0;
      rounds = settled && verdicts.every(({ state }) => state === "converged") ? rounds + 1 : 0;
      if (rounds >= 2) return { state: "converged", verdicts };
    } catch (error) {
      const interrupted = (error as OperatorError).exitCode === ExitCode.interrupted;
      if (interrupted || Date.now() > heard + SILENCE_SECONDS * 1000) throw error;
      rounds = 0;
    }
    if (Date.now() > end) return { state: "timeout", verdicts };
    await sleep(POLL_MILLISECONDS);
  }
}

async function look(docker: Docker, stack: string, waiting: Waiting): Promise<Verdict[]> {
  const services = (await stackServices(docker, stack)).filter(
    ({ Spec }) => waiting.only === undefined || waiting.only.has(Spec.Name),
  );
  const tasks = await tasksOf(docker, services);
  return services.map((service) => judge(service, tasks(service), waiting.since, waiting.goal));
}

/** The last log lines of a service; empty where there are none. Bounded in time: logs of a waiting task never end. */
export async function lastLogLines(docker: Docker, service: string): Promise<string[]> {
  const { stdout, stderr } = await docker.attempt(serviceLogs(service), { timeout: 5000 });
  return `${stdout}\n${stderr}`.split("\n").filter(Boolean).slice(-10);
}

/** Services whose tasks would differ from those before. */
export function changedServices(
  before: readonly SwarmService[],
  now: readonly SwarmService[],
): SwarmService[] {
  const templates = new Map(before.map(({ Spec }) => [Spec.Name, JSON.stringify(Spec.TaskTemplate)]));
  return now.filter(({ Spec }) => templates.get(Spec.Name) !== JSON.stringify(Spec.TaskTemplate));
}

/** Waits until what a removed stack had is gone, so that the next deploy does not trip over it. */
export async function waitForRemoval(docker: Docker, stack: string, timeoutSeconds: number): Promise<void> {
  const end = Date.now() + timeoutSeconds * 1000;
  const list = ["network", "ls", "--quiet", "--filter", `label=${STACK_LABEL}=${stack}`];
  while ((await docker.run(list)).trim() !== "" && Date.now() < end) await sleep(POLL_MILLISECONDS);
}
