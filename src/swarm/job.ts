import { setTimeout as sleep } from "node:timers/promises";
import { ExitCode, OperatorError } from "../errors.js";
import { type Docker, dockerFailed } from "./docker.js";
import { createHelperService } from "./helperService.js";
import { serviceTasks } from "./objects.js";

/** A command that runs once on the node that fits: a Swarm job (Docker Engine 20.10, API 1.41). */
export interface Job {
  /** What it is for, in its service's name. */
  name: string;
  image: string;
  command: readonly string[];
  /** user:group by number. */
  user: string;
  mounts: ReadonlyArray<{ source: string; target: string; readOnly: boolean }>;
  constraints: readonly string[];
}

export const jobName = (stack: string, name: string): string => `${stack}_job-${name}`;

export function createJob(stack: string, job: Job): string[] {
  const more = [
    ...["--mode", "replicated-job"],
    ...["--user", job.user],
    ...job.mounts.flatMap(({ source, target, readOnly }) => [
      "--mount",
      `type=bind,source=${source},target=${target}${readOnly ? ",readonly" : ""}`,
    ]),
  ];
  return createHelperService(stack, jobName(stack, job.name), job.constraints, more, job.image, job.command);
}

const ENDED = new Set(["failed", "rejected", "orphaned", "shutdown", "remove"]);

/**
 * Runs a job to its end and removes its service, whatever happens; one that a killed run left behind is replaced.
 *
 * @returns the lines that it printed
 * @throws OperatorError when it fails, or has not ended in time
 */
export async function runJob(
  docker: Docker,
  stack: string,
  job: Job,
  timeoutSeconds: number,
): Promise<string[]> {
  const name = jobName(stack, job.name);
  await docker.attempt(["service", "rm", name]);
  const create = createJob(stack, job);
  const created = await docker.attempt(create);
  if (created.exitCode !== 0) throw dockerFailed(create, created);
  try {
    let state = "not started";
    for (const end = Date.now() + timeoutSeconds * 1000; Date.now() < end; await sleep(500)) {
      const [task] = await serviceTasks(docker, name);
      state = task?.Status.State ?? state;
      if (state === "complete") return await linesOf(docker, name);
      if (ENDED.has(state)) throw jobFailed(name, task?.Status.Err ?? state, await linesOf(docker, name));
    }
    throw jobFailed(name, `has not ended in ${timeoutSeconds} seconds (${state})`, []);
  } finally {
    await docker.attempt(["service", "rm", name]);
  }
}

async function linesOf(docker: Docker, name: string): Promise<string[]> {
  const { stdout, stderr } = await docker.attempt(["service", "logs", "--raw", name], { timeout: 10_000 });
  return `${stdout}\n${stderr}`.split("\n").filter(Boolean);
}

const jobFailed = (name: string, reason: string, lines: readonly string[]) =>
  new OperatorError([reason, ...lines.slice(-5).map((line) => `    ${line}`)].join("\n"), {
    where: name,
    remedy: "Mend what it says, then run the same command again.",
    exitCode: ExitCode.rollout,
  });
