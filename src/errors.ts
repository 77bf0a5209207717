/**
 * What a process exit means. Documented in docs/commands.md; scripts may rely on the numbers.
 */
export const ExitCode = {
  ok: 0,
  /** A check found a difference (`render --check`), or there is something to deploy (`diff`). */
  stale: 1,
  /** `status` found something that is not as it should be. */
  unhealthy: 1,
  /** `doctor` found something. */
  found: 1,
  /** The command line itself is wrong, or an answer is missing and there is no terminal to ask at. */
  usage: 2,
  /** hephaestus.yaml is missing, unreadable or holds mistakes. */
  config: 3,
  /** Preflight: Docker, the Swarm, a network, a node, the host or a file is not ready. */
  preflight: 4,
  /** A password or an htpasswd was refused. */
  credentials: 5,
  /** The rollout failed; what ran before runs again. */
  rollout: 6,
  /**
   * The rollout converged, but the registry does not answer as it should at its front door; data are damaged,
   * or not all was seen.
   */
  verify: 7,
  /** Another deploy of the same stack is running. */
  locked: 8,
  /** A docker command, or a job in the Swarm, failed outside of a rollout. */
  docker: 9,
  /** A mistake of hephaestus itself. */
  bug: 70,
  /** Ctrl-C (128 + SIGINT). */
  interrupted: 130,
} as const;

export type ExitCode = (typeof ExitCode)[keyof typeof ExitCode];

/** What each exit code means, for --help and the documentation. */
export const EXIT_CODES: ReadonlyArray<{ code: ExitCode; meaning: string }> = [
  { code: ExitCode.ok, meaning: "success" },
  {
    code: ExitCode.stale,
    meaning:
      "stale files (render --check), something would change (diff), a problem was found (status, doctor)",
  },
  {
    code: ExitCode.usage,
    meaning: "wrong usage, or an answer is missing and there is no terminal to ask at",
  },
  { code: ExitCode.config, meaning: "mistakes in the config file; each is listed with file:line:column" },
  {
    code: ExitCode.preflight,
    meaning: "Docker, the Swarm, the host or a file is not ready; nothing was changed",
  },
  { code: ExitCode.credentials, meaning: "a password or an htpasswd was refused" },
  { code: ExitCode.rollout, meaning: "the rollout failed; the previous state was restored" },
  {
    code: ExitCode.verify,
    meaning: "a check at the front door failed, data is damaged, or something could not be seen",
  },
  { code: ExitCode.locked, meaning: "another operation on the stack is running" },
  { code: ExitCode.docker, meaning: "a docker command, or a job in the Swarm, failed outside of a rollout" },
  { code: ExitCode.bug, meaning: "a bug in hephaestus" },
  { code: ExitCode.interrupted, meaning: "interrupted with Ctrl-C" },
];

export interface OperatorErrorDetails {
  /** Where: a file:line:column, a config path, a service or a command. */
  where?: string | undefined;
  /** How to fix it, in the imperative. */
  remedy?: string | undefined;
  exitCode: ExitCode;
  cause?: unknown;
}

/**
 * An error that a user can fix. Everything else that is thrown is a bug of hephaestus.
 */
export class OperatorError extends Error {
  readonly where: string | undefined;
  readonly remedy: string | undefined;
  readonly exitCode: ExitCode;

  constructor(message: string, details: OperatorErrorDetails) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.name = "OperatorError";
    this.where = details.where;
    this.remedy = details.remedy;
    this.exitCode = details.exitCode;
  }

  /** The same error with the state afterwards, as a sentence before its remedy. */
  withOutcome(outcome: string, exitCode = this.exitCode): OperatorError {
    const { message, where } = this;
    const remedy = [outcome, this.remedy].filter(Boolean).join("\n");
    return new OperatorError(message, { where, remedy, exitCode, cause: this });
  }
}
