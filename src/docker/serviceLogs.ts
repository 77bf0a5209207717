import { createInterface } from "node:readline";
import { execa } from "execa";
import { ExitCode, OperatorError } from "../errors.js";
import { childEnvironment } from "./run.js";

export interface LogOptions {
  context?: string | undefined;
  follow: boolean;
  /** Lines of each task to begin with; all without it. */
  tail?: number;
  /** Only lines that are newer, in RFC 3339. */
  since?: string;
  signal?: AbortSignal;
}

/**
 * Prints the logs of services as they come, each line with its service in front; ends when all have ended.
 *
 * @param onLine gets a service and a line
 * @throws OperatorError when docker fails
 */
export async function streamLogs(
  services: readonly string[],
  options: LogOptions,
  onLine: (service: string, line: string) => void,
): Promise<void> {
  await Promise.all(
    services.map(async (service) => {
      const args = [
        ...(options.context === undefined ? [] : ["--context", options.context]),
        ...["service", "logs", "--timestamps", "--no-task-ids"],
        ...(options.tail === undefined ? [] : ["--tail", String(options.tail)]),
        ...(options.since === undefined ? [] : ["--since", options.since]),
        ...(options.follow ? ["--follow"] : []),
        service,
      ];
      const child = execa("docker", args, {
        env: childEnvironment(),
        extendEnv: false,
        stdin: "ignore",
        reject: false,
        all: true,
        buffer: false,
        ...(options.signal ? { cancelSignal: options.signal } : {}),
      });
      const lines = createInterface({ input: child.all });
      let last = "";
      for await (const line of lines) {
        last = line;
        onLine(service, line);
      }
      const result = await child;
      if (result.exitCode === 0 || result.isCanceled) return;
      throw new OperatorError(last || `ended with exit code ${result.exitCode}`, {
        where: `docker service logs ${service}`,
        remedy: "See which services there are with: docker stack services",
        exitCode: ExitCode.preflight,
      });
    }),
  );
}

/** Docker's prefix names the time, the task and the node. */
const PREFIX = /^(\S+) \S+ +\| ?/;

/** A line as the container wrote it, with the time in front. */
export const withoutTask = (line: string): string => line.replace(PREFIX, "$1 ");

/** A line as the container wrote it. */
export const asWritten = (line: string): string => line.replace(PREFIX, "");
