import type { Readable } from "node:stream";
import { execa } from "execa";
import { shownArguments } from "../credentials/redaction.js";
import { childEnvironment } from "./childEnvironment.js";
import { type EngineAnswer, EngineConnection, type EngineRequest } from "./engineConnection.js";
import { dockerFailed, interrupted, notStarted } from "./failures.js";

interface RunOptions {
  /** A file that is the command's standard input. */
  inputFile?: string;
  environment?: Readonly<Record<string, string>>;
  /** Milliseconds after which the command is ended. */
  timeout?: number;
  /** Gets each line of both outputs as it comes; of them, the result has only the last error then. */
  onLine?: (line: string) => void;
  /** Milliseconds without a line after which the command is ended. */
  silence?: number;
  /** Folder to run in. */
  directory?: string;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/**
 * Asks the engine, and runs docker with an argument list. That stands in docker's own argv, so it is never a
 * secret.
 */
export interface Docker {
  /** Asks the engine. It leaves it to the caller what a status means, and that there is none. */
  ask(request: EngineRequest): Promise<EngineAnswer>;
  /** @throws OperatorError when docker fails, with advice where its message is a known one */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Like run, but leaves it to the caller what an exit code other than 0 means. */
  attempt(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** Asked before each command and each request: it throws if none may run any more. */
  guard?: (() => Promise<void>) | undefined;
}

export interface Dockers {
  /** The docker of a command. */
  readonly docker: Docker;
  /** One that still works after an interruption. */
  readonly cleanupDocker: Docker;
  /** One for the lock itself: it works after an interruption, and has no guard. */
  readonly lockDocker: Docker;
}

export interface DockerOptions {
  /** A docker context; without it DOCKER_CONTEXT, DOCKER_HOST and docker's own default count. */
  context?: string | undefined;
  /** Gets each command before it runs, and each request before it is sent, as they may be shown. */
  onCommand?: ((shown: string) => void) | undefined;
  signal?: AbortSignal | undefined;
}

const globalArguments = ({ context }: DockerOptions): string[] =>
  context === undefined ? [] : ["--context", context];

/** Docker for one command: three that share one connection to the engine. */
export function dockersOf(options: DockerOptions): Dockers {
  const connection = new EngineConnection(globalArguments(options));
  const { signal: _signal, ...uninterruptible } = options;
  return {
    docker: dockerCommand(options, connection),
    cleanupDocker: dockerCommand(uninterruptible, connection),
    lockDocker: dockerCommand(uninterruptible, connection),
  };
}

/** The docker command on this machine, and the engine that it talks to. */
export function dockerCommand(
  options: DockerOptions,
  connection = new EngineConnection(globalArguments(options)),
): Docker {
  async function attempt(args: readonly string[], run: RunOptions = {}): Promise<CommandResult> {
    options.onCommand?.(`docker ${shownArguments(args).join(" ")}`);
    if (options.signal?.aborted) throw interrupted();
    const child = execa("docker", [...globalArguments(options), ...args], {
      env: childEnvironment(run.environment),
      extendEnv: false,
      ...(run.inputFile === undefined ? { input: "" } : { inputFile: run.inputFile }),
      reject: false,
      ...(run.timeout === undefined ? {} : { timeout: run.timeout }),
      ...(run.directory === undefined ? {} : { cwd: run.directory }),
      ...(options.signal === undefined ? {} : { cancelSignal: options.signal }),
      buffer: run.onLine === undefined,
    });
    const { onLine, silence } = run;
    const watch = silence === undefined ? undefined : setTimeout(() => child.kill(), silence);
    const passing = [child.stdout, child.stderr].map(
      (stream) =>
        onLine &&
        passLines(stream, (line) => {
          watch?.refresh();
          onLine(line);
        }),
    );
    const result = await child;
    clearTimeout(watch);
    const [, lastError] = passing.map((end) => end?.());
    if (result.isCanceled || options.signal?.aborted) throw interrupted();
    if (result.exitCode === undefined && !result.timedOut && result.code) throw notStarted(result.code);
    const { stdout = "", stderr = "" } = result;
    return { exitCode: result.exitCode ?? 124, stdout, stderr: lastError ?? stderr };
  }

  async function ask(request: EngineRequest): Promise<EngineAnswer> {
    options.onCommand?.(`${request.method} ${decodeURIComponent(request.path)}`);
    if (options.signal?.aborted) throw interrupted();
    try {
      const answer = await connection.ask(request, options.signal);
      if (options.signal?.aborted) throw interrupted();
      return answer;
    } catch (error) {
      throw options.signal?.aborted ? interrupted() : notStarted((error as NodeJS.ErrnoException).code);
    }
  }

  const docker: Docker = {
    async ask(request) {
      await docker.guard?.();
      return ask(request);
    },
    async attempt(args, run) {
      await docker.guard?.();
      return attempt(args, run);
    },
    async run(args, run) {
      const result = await docker.attempt(args, run);
      if (result.exitCode !== 0) throw dockerFailed(args, result);
      return result.stdout;
    },
  };
  return docker;
}

/**
 * Passes the lines of a stream on. A line ends with \n alone: \r can be part of what somebody sent.
 *
 * @returns what gives the last one, at the end
 */
function passLines(stream: Readable, onLine: (line: string) => void): () => string {
  let [rest, last] = ["", ""];
  stream.setEncoding("utf8").on("data", (chunk: string) => {
    const lines = (rest + chunk).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) onLine(line);
    last = lines.at(-1) ?? last;
  });
  return () => {
    if (rest !== "") onLine(rest);
    return rest || last;
  };
}

/** The same docker, which ends each command and each request that takes longer. */
export function boundedDocker(docker: Docker, milliseconds: number): Docker {
  const bounded = (run: RunOptions = {}) => ({ timeout: milliseconds, ...run });
  return {
    run: (args, run) => docker.run(args, bounded(run)),
    attempt: (args, run) => docker.attempt(args, bounded(run)),
    ask: (request) => docker.ask({ timeout: milliseconds, ...request }),
  };
}
