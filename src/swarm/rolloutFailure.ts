import { ExitCode, type OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { type Convergence, lastLogLines } from "./stackUpdate.js";

/**
 * Faults of the engine that a second attempt does not have. Engine 20.10 and others: a file in the tmpfs of
 * the secrets is still open in a process that is just being forked when it is made read-only (moby, "unable
 * to remount dir as readonly").
 */
export const TRANSIENT_FAULT = /unable to remount dir as readonly.*device or resource busy/;

/**
 * A docker command that failed as part of a rollout is a failure of the rollout.
 *
 * @param outcome the state afterwards, as a sentence before the remedy
 */
export const asRolloutFailure = (error: OperatorError, outcome = ""): OperatorError =>
  error.withOutcome(outcome, error.exitCode === ExitCode.docker ? ExitCode.rollout : error.exitCode);

/** Why services did not converge: the reasons of their tasks, and the last lines of their logs. */
export async function failureMessage(
  { docker, options }: Pick<Session, "docker" | "options">,
  { state, verdicts }: Convergence,
): Promise<string> {
  const guilty = verdicts.filter(
    (verdict) => verdict.state === (state === "failed" ? "failed" : "converging"),
  );
  const reasons: string[] = [];
  for (const { service, reason, running, replicas } of guilty) {
    reasons.push(`${service}: ${running} of ${replicas} tasks run: ${reason}`);
    for (const line of await lastLogLines(docker, service)) reasons.push(`    ${line}`);
  }
  const head =
    state === "timeout" ? `not converged within ${options.timeoutSeconds} seconds` : "the rollout failed";
  return [head, ...reasons].join("\n");
}
