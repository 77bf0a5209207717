import { setTimeout as sleep } from "node:timers/promises";
import { dockerFailed } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import { type SwarmTask, serviceTasks } from "./objects.js";

export interface LogOptions {
  /** Lines of each task to begin with; all without it. */
  tail?: number | undefined;
  /** Only lines that are newer, in RFC 3339. */
  since?: string | undefined;
}

export interface LogLine {
  /** RFC 3339 with nine decimals, so that the order of texts is that of times. */
  time: string;
  /** As the container wrote it. */
  text: string;
}

/** A log that was read to its end. */
export interface ServiceLog {
  /** In the order of time. */
  lines: LogLine[];
  /** What is missing in it and why, a sentence for each task. */
  missing: string[];
}

/** What is missing in a log, for people. */
export const missingText = (missing: readonly string[]): string =>
  `The log is incomplete:\n    ${missing.join("\n    ")}`;

/** An engine that has begun to send a log does not pause for so long. */
const SILENCE_MILLISECONDS = 8000;
const NEW_TASKS_MILLISECONDS = 2000;

/**
 * Reads the log of a service, task by task: `docker service logs` of a service with two tasks of 8,000 lines
 * each stops in the middle and never ends (seen with docker 20.10 and 28.5).
 *
 * @param service its full name
 */
export async function readServiceLog(
  docker: Docker,
  service: string,
  options: LogOptions = {},
): Promise<ServiceLog> {
  const tasks = await serviceTasks(docker, service);
  const lines: LogLine[] = [];
  const missing: string[] = tasks.length === 0 ? [`${service} has no tasks`] : [];
  const read = async (task: SwarmTask): Promise<void> => {
    const fault = await passTaskLog(docker, task, options, (line) => lines.push(line));
    if (fault !== undefined) missing.push(fault);
  };
  await Promise.all(tasks.filter((task) => hasLog(task, options.since)).map(read));
  return { lines: lines.sort((a, b) => (a.time < b.time ? -1 : Number(a.time > b.time))), missing };
}

/**
 * Follows the log of a service, also that of tasks to come, until docker is interrupted.
 *
 * @throws OperatorError when docker fails, or is interrupted
 */
export async function followServiceLog(
  docker: Docker,
  service: string,
  { tail }: Pick<LogOptions, "tail">,
  onLine: (line: LogLine) => void,
): Promise<never> {
  const known = new Set<string>();
  for (let options: LogOptions & { follow: true } = { tail, follow: true }; ; options = { follow: true }) {
    for (const task of await serviceTasks(docker, service)) {
      if (known.has(task.ID) || !hasLog(task, undefined)) continue;
      known.add(task.ID);
      // The question for new tasks fails too where docker does.
      passTaskLog(docker, task, options, onLine).catch(() => undefined);
    }
    await sleep(NEW_TASKS_MILLISECONDS);
  }
}

/** Whether a task has written anything since then: docker waits for ever for one without a container. */
const hasLog = ({ DesiredState, Status }: SwarmTask, since: string | undefined): boolean =>
  Boolean(Status.ContainerStatus?.ContainerID) &&
  (since === undefined ||
    DesiredState === "running" ||
    !(Date.parse(Status.Timestamp ?? "") < Date.parse(since)));

/**
 * @returns why it is not whole; undefined where it is. Of a container that was removed, docker gives an empty
 * one.
 */
async function passTaskLog(
  docker: Docker,
  { ID, NodeID }: SwarmTask,
  { tail, since, follow = false }: LogOptions & { follow?: boolean },
  onLine: (line: LogLine) => void,
): Promise<string | undefined> {
  const args = [
    ...["service", "logs", "--raw", "--timestamps"],
    ...(tail === undefined ? [] : ["--tail", String(tail)]),
    ...(since === undefined ? [] : ["--since", since]),
    ...(follow ? ["--follow"] : []),
    ID,
  ];
  const result = await docker.attempt(args, {
    onLine(line) {
      const [, time, text = ""] = LINE.exec(line) ?? [];
      if (time !== undefined) onLine({ time, text });
    },
    ...(follow ? {} : { silence: SILENCE_MILLISECONDS }),
  });
  if (result.exitCode === 0) return undefined;
  return `task ${ID.slice(0, 12)} on node ${NodeID?.slice(0, 12)}: ${dockerFailed(args, result).message}`;
}

const LINE = /^(\d{4}-\d\d-\d\dT\S+) (.*)$/s;
