import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { areUnchanged, type StackSecrets } from "./generations.js";

/**
 * Runs an operation under the lock, if the secrets have not changed since preflight.
 *
 * @param found what preflight read
 * @throws OperatorError when another operation works on it, or has changed its secrets since preflight
 */
export async function underLock<T>(
  session: Session,
  found: StackSecrets,
  work: () => Promise<T>,
): Promise<T> {
  const { stack } = session.config;
  return withLock(session, stack, async () => {
    if (await areUnchanged(session.docker, found)) return work();
    throw new OperatorError(`the secrets of ${stack} were changed by another process`, {
      remedy: "Nothing was changed. Run the same command again.",
      exitCode: ExitCode.locked,
    });
  });
}
