import type { Readable } from "node:stream";
import { execa } from "execa";
import { Secret } from "../credentials/secret.js";
import { ExitCode, OperatorError } from "../errors.js";

/** The operator's secrets stay in this process: no child inherits them. */
const OPERATOR_SECRETS = [
  "REGISTRY_HTPASSWD",
  "REGISTRY_RAW_PASSWORD",
  "REGISTRY_S3_SECRET_ACCESS_KEY",
  "REGISTRY_S3_READER_SECRET_ACCESS_KEY",
  "REGISTRY_MIRROR_LOGINS",
  "REGISTRY_NOTIFICATION_HEADERS",
  "HEPHAESTUS_ALERT_URL",
] as const;

/** This process's environment without the operator's secrets. */
export function childEnvironment(extra: Readonly<Record<string, string>> = {}): Record<string, string> {
  const environment = { ...process.env, ...extra } as Record<string, string>;
  for (const name of OPERATOR_SECRETS) delete environment[name];
  return environment;
}

export interface RunOptions {
  /** Written to the command's standard input. */
  input?: Secret | string | Uint8Array;
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
  /** Whether standard input stays open until the command has ended by itself. */
  holdsInput?: boolean;
}

export interface CommandResult {
  exitCode: number;
  stdout: string;
  stderr: string;
}

/** Runs docker with an argument list. What it is given stands in docker's own argv, so it is never a secret. */
export interface Docker {
  /** @throws OperatorError when docker fails, with advice where its message is a known one */
  run(args: readonly string[], options?: RunOptions): Promise<string>;
  /** Like run, but leaves it to the caller what an exit code other than 0 means. */
  attempt(args: readonly string[], options?: RunOptions): Promise<CommandResult>;
  /** Asked before each command: it throws where none may run any more. */
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
  /** Called with every argument list before it runs. */
  onCommand?: ((args: readonly string[]) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** The docker command on this machine. */
export function dockerCommand(options: DockerOptions): Docker {
  const globalArguments = options.context === undefined ? [] : ["--context", options.context];

  async function attempt(args: readonly string[], run: RunOptions = {}): Promise<CommandResult> {
    options.onCommand?.(args);
    if (options.signal?.aborted) throw interrupted();
    const child = execa("docker", [...globalArguments, ...args], {
      env: childEnvironment(run.environment),
      extendEnv: false,
      ...standardInput(run),
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
    // A command that ends early is known by its exit code.
    if (run.holdsInput) child.stdin?.on("error", () => undefined).write(textOf(run));
    const result = await child;
    clearTimeout(watch);
    const [, lastError] = passing.map((end) => end?.());
    if (result.isCanceled || options.signal?.aborted) throw interrupted();
    if (result.exitCode === undefined && !result.timedOut && result.code) throw notStarted(result.code);
    const { stdout = "", stderr = "" } = result;
    return { exitCode: result.exitCode ?? 124, stdout, stderr: lastError ?? stderr };
  }

  const docker: Docker = {
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

const textOf = ({ input = "" }: RunOptions): string | Uint8Array =>
  input instanceof Secret ? input.reveal() : input;

const standardInput = (run: RunOptions) =>
  run.inputFile !== undefined ? { inputFile: run.inputFile } : run.holdsInput ? {} : { input: textOf(run) };

/** The same docker, which ends each command that takes longer. */
export function boundedDocker(docker: Docker, milliseconds: number): Docker {
  const bounded = (run: RunOptions = {}) => ({ timeout: milliseconds, ...run });
  return {
    run: (args, run) => docker.run(args, bounded(run)),
    attempt: (args, run) => docker.attempt(args, bounded(run)),
  };
}

export const interrupted = () =>
  new OperatorError("interrupted", {
    remedy: "Run the same command again to continue.",
    exitCode: ExitCode.interrupted,
  });

function notStarted(code: string | undefined): OperatorError {
  return new OperatorError(
    code === "ENOENT" ? "the docker command was not found" : `docker did not start (${code})`,
    {
      where: "docker",
      remedy: "Install Docker's command line and see that `docker version` works in this shell.",
      exitCode: ExitCode.preflight,
    },
  );
}

/**
 * Whether docker failed because an object is not there. The CLI says "No such service: x" up to line 20.10, and hands on
 * the engine's "service x not found" in line 28.
 */
export const saysAbsent = ({ stderr }: Pick<CommandResult, "stderr">): boolean =>
  /\bno such (?:service|task|node|network|secret|config|object)\b|\b(?:service|task|node|network|secret|config) \S+ not found\b/i.test(
    stderr,
  );

/** Messages of docker that have a known remedy. */
const ADVICE: ReadonlyArray<readonly [RegExp, string]> = [
  [/permission denied while trying to connect/i, "Run as a user of the group docker, or with sudo."],
  [
    /cannot connect to the docker daemon|error during connect|connection refused/i,
    "Start Docker, or set DOCKER_HOST or --context to where it runs.",
  ],
  [
    /host key verification failed|permission denied \(publickey/i,
    "Log in once by hand with ssh to that host, then run this again.",
  ],
  [/context .*not found|context .*does not exist/i, "List the contexts with: docker context ls"],
  [
    /this node is not a swarm manager/i,
    "Start a Swarm with: docker swarm init, or use a context of a manager node.",
  ],
];

/** A failed docker command as an error: docker's last line, and what to do about it where that is known. */
export function dockerFailed(args: readonly string[], { stderr, exitCode }: CommandResult): OperatorError {
  const lines = stderr.trim().split("\n");
  const message = exitCode === 124 ? "did not answer in time" : (lines.at(-1) ?? "");
  const advice = ADVICE.find(([pattern]) => pattern.test(stderr))?.[1];
  return new OperatorError(message || `ended with exit code ${exitCode}`, {
    where: `docker ${args.slice(0, 3).join(" ")}`,
    remedy: advice ?? "Run that docker command yourself for details, or run this command with --verbose.",
    exitCode: advice ? ExitCode.preflight : ExitCode.docker,
  });
}
