import { setTimeout as sleep } from "node:timers/promises";
import { isVolume } from "../config/resolve.js";
import { dockerFailed, isFinal } from "../docker/failures.js";
import type { Docker, Dockers } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { createHelperService, removeService } from "./helperService.js";
import { findTasks, labelledBy, listServices, type SwarmTask, serviceTasks } from "./objects.js";
import { readServiceLog } from "./serviceLogs.js";

/** A command that runs once on the node that fits: a Swarm job (Docker Engine 20.10, API 1.41). */
export interface Job {
  /** What it is for, in its service's name. */
  name: string;
  image: string;
  command: readonly string[];
  /** user:group by number. */
  user: string;
  /** Folders by their path, and volumes by their name. */
  mounts: ReadonlyArray<{ source: string; target: string; readOnly: boolean }>;
  constraints: readonly string[];
  /** Whether it runs once on each node that fits, instead of on one. */
  everywhere?: true;
  /** Swarm configs by name, and where they are mounted. */
  configs?: ReadonlyArray<{ source: string; target: string }>;
  /** Swarm secrets by name, and the names of their files; the job's user alone reads them. */
  secrets?: ReadonlyArray<{ source: string; target: string }>;
  /** Environment variables, NAME=value; none holds a secret. */
  environment?: readonly string[];
  /** Networks by name; without one it reaches nothing inside the Swarm. */
  networks?: readonly string[];
  /** Gets all lines that it has printed, now and then and at the end, whether it fails or not. */
  onLines?: (lines: string[]) => void;
}

const jobName = (stack: string, name: string): string => `${stack}_job-${name}`;

function createJob(stack: string, job: Job): string[] {
  const [uid, gid] = job.user.split(":");
  const more = [
    ...["--mode", job.everywhere ? "global-job" : "replicated-job"],
    ...["--user", job.user],
    // A shell that is the first process of a container does not end by itself when it is told to.
    ...["--stop-grace-period", "2s"],
    ...job.mounts.flatMap(({ source, target, readOnly }) => [
      "--mount",
      `type=${isVolume(source) ? "volume" : "bind"},source=${source},target=${target}${readOnly ? ",readonly" : ""}`,
    ]),
    ...(job.configs ?? []).flatMap(({ source, target }) => ["--config", `source=${source},target=${target}`]),
    ...(job.secrets ?? []).flatMap(({ source, target }) => [
      "--secret",
      `source=${source},target=${target},uid=${uid},gid=${gid},mode=0400`,
    ]),
    ...(job.environment ?? []).flatMap((variable) => ["--env", variable]),
    ...(job.networks ?? []).flatMap((network) => ["--network", network]),
  ];
  return createHelperService(stack, jobName(stack, job.name), job.constraints, more, job.image, job.command);
}

const ENDED = new Set(["failed", "rejected", "orphaned", "shutdown", "remove"]);

/** Seconds for a job's container to end when it is told to. */
const END_SECONDS = 60;

/**
 * Runs a job to its end and removes its service, whatever happens.
 *
 * @param onProgress gets the task's state and for how long it has been waited for, in steps of ten seconds
 * @returns the lines that it printed
 * @throws OperatorError when it fails, or has not ended in time
 */
export async function runJob(
  { docker, cleanupDocker }: Dockers,
  stack: string,
  job: Job,
  timeoutSeconds: number,
  onProgress: (message: string) => void,
): Promise<string[]> {
  const name = jobName(stack, job.name);
  const create = createJob(stack, job);
  const created = await docker.attempt(create);
  if (created.exitCode !== 0) throw dockerFailed(create, created);
  const lines = async (isWhole = true): Promise<string[]> => {
    const log = await readServiceLog(docker, name);
    const printed = log.lines.map(({ text }) => text).filter(Boolean);
    job.onLines?.(printed);
    if (isWhole && log.missing.length > 0)
      throw jobFailed(name, `what it printed cannot be read: ${log.missing.join("; ")}`, printed);
    return printed;
  };
  try {
    let state = "not started";
    const start = Date.now();
    for (const end = start + timeoutSeconds * 1000; Date.now() < end; await sleep(500)) {
      const tasks = await serviceTasks(docker, name);
      // Of several, one that has not ended well is the one to look at.
      const task = tasks.find(({ Status }) => Status.State !== "complete") ?? tasks[0];
      state = task?.Status.State ?? state;
      onProgress(`${state}, ${Math.round((Date.now() - start) / 10_000) * 10} s`);
      if (state === "complete") return await lines();
      if (ENDED.has(state)) throw jobFailed(name, task?.Status.Err ?? state, await lines(false));
      if (job.onLines && state === "running") await lines(false);
    }
    throw jobFailed(name, `has not ended in ${timeoutSeconds} seconds (${state})`, []);
  } finally {
    await endJob(cleanupDocker, name);
  }
}

/**
 * Ends the jobs that a killed run left behind. Who holds the stack's lock may: nobody else waits for them.
 *
 * @throws OperatorError when a container of one does not end: what it works on must not be touched then
 */
export async function endLeftJobs(docker: Docker, stack: string): Promise<string[]> {
  const prefix = jobName(stack, "");
  const services = await listServices(docker, { ...labelledBy(stack), name: [prefix] });
  const names = services.map(({ Spec }) => Spec.Name).filter((name) => name.startsWith(prefix));
  for (const name of names) await endJob(docker, name);
  return names;
}

/**
 * Removes a job's service and waits until no container of it runs. An engine that does not answer is asked
 * again.
 */
async function endJob(docker: Docker, name: string): Promise<void> {
  let tasks: SwarmTask[] | undefined;
  let isRemoved = false;
  for (const end = Date.now() + END_SECONDS * 1000; Date.now() < end; await sleep(500)) {
    try {
      tasks ??= await serviceTasks(docker, name);
      isRemoved ||= await removeService(docker, name);
      if (isRemoved && !(await isAnyRunning(docker, tasks))) return;
    } catch (error) {
      if (isFinal(error)) throw error;
    }
  }
  throw jobFailed(name, `its container has not ended in ${END_SECONDS} seconds`, []);
}

/** The Swarm forgets a removed service's task when its node has ended the container. */
async function isAnyRunning(docker: Docker, tasks: readonly SwarmTask[]): Promise<boolean> {
  const ids = tasks.map(({ ID }) => ID);
  return (await findTasks(docker, ids)).some(
    ({ Status }) => !ENDED.has(Status.State) && Status.State !== "complete",
  );
}

const jobFailed = (name: string, reason: string, lines: readonly string[]) =>
  new OperatorError([reason, ...lines.slice(-5).map((line) => `    ${line}`)].join("\n"), {
    where: name,
    remedy: "Fix the reported problem, then run the same command again.",
    exitCode: ExitCode.docker,
  });
