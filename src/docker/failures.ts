import { ExitCode, OperatorError } from "../errors.js";
import type { EngineAnswer, EngineRequest } from "./engineConnection.js";

/** What docker and the engine fail with, as errors for people. */

/** Ctrl-C. */
export const interrupted = () =>
  new OperatorError("interrupted", {
    remedy: "Run the same command again to continue.",
    exitCode: ExitCode.interrupted,
  });

/** Whether nothing more may be asked after an error: the command was interrupted, or it lost its lock. */
export const isFinal = (error: unknown): boolean =>
  !(error instanceof OperatorError) ||
  error.exitCode === ExitCode.interrupted ||
  error.exitCode === ExitCode.locked;

/** The docker command did not start. @param code of the error, such as ENOENT */
export function notStarted(code: string | undefined): OperatorError {
  return new OperatorError(
    code === "ENOENT" ? "the docker command was not found" : `docker did not start (${code})`,
    {
      where: "docker",
      remedy: "Install Docker's command line and see that `docker version` works in this shell.",
      exitCode: ExitCode.preflight,
    },
  );
}

/** Messages of docker and of the engine that have a known remedy. */
const ADVICE: ReadonlyArray<readonly [RegExp, string]> = [
  [
    /permission denied while trying to connect|dial unix .*permission denied/i,
    "Run as a user of the group docker, or with sudo.",
  ],
  [
    /cannot connect to the docker daemon|error during connect|connection refused|dial unix .*no such file/i,
    "Start Docker, or set DOCKER_HOST or --context to where it runs.",
  ],
  [
    /host key verification failed|permission denied \(publickey/i,
    "Log in once by hand with ssh to that host, then run this again.",
  ],
  [
    /client version [\d.]+ is too old/i,
    "This engine refuses a docker command that is so old. Install Docker's command line 25 or newer.",
  ],
  [/context .*not found|context .*does not exist/i, "List the contexts with: docker context ls"],
  [
    /this node is not a swarm manager/i,
    "Start a Swarm with: docker swarm init, or use a context of a manager node.",
  ],
];

/** A failed docker command as an error: docker's last line, and what to do about it if that is known. */
export function dockerFailed(
  args: readonly string[],
  { stderr, exitCode }: { stderr: string; exitCode: number },
): OperatorError {
  const lines = stderr.trim().split("\n");
  const message = exitCode === 124 ? "did not answer in time" : (lines.at(-1) ?? "");
  return failed(
    message || `ended with exit code ${exitCode}`,
    `docker ${args.slice(0, 3).join(" ")}`,
    stderr,
    "Run that docker command yourself for details, or run this command with --verbose.",
  );
}

/** What is asked, for the place of an error. */
export const placeOf = ({ method, path }: EngineRequest): string =>
  `Docker Engine API, ${method} ${path.replace(/\?.*$/, "")}`;

/** A request that the engine refused or did not answer as an error, in the words of the engine. */
export function requestFailed(request: EngineRequest, { status, body }: EngineAnswer): OperatorError {
  return failed(
    messageOf(body) || `was answered ${status}`,
    placeOf(request),
    body,
    "Run this again with --verbose to see what was asked before.",
  );
}

function messageOf(body: string): string {
  try {
    return String((JSON.parse(body) as { message?: unknown }).message ?? "");
  } catch {
    const [line = ""] = body.trim().split("\n").slice(-1);
    return line.replace(/^failed to open the raw stream connection:/, "no connection to the engine:");
  }
}

/** @param said everything that may have a known remedy */
function failed(message: string, where: string, said: string, remedy: string): OperatorError {
  const advice = ADVICE.find(([pattern]) => pattern.test(said))?.[1];
  return new OperatorError(message, {
    where,
    remedy: advice ?? remedy,
    exitCode: advice ? ExitCode.preflight : ExitCode.docker,
  });
}
