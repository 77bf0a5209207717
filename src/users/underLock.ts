import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "../operation/context.js";
import { withLock } from "../operation/stackLock.js";
import { isUnchanged } from "./generations.js";

/**
 * Runs an operation under the lock, if the secrets have not changed since preflight.
 *
 * @throws OperatorError when another operation works on it, or has changed its secrets since preflight
 */
export async function underLock<T>(
  context: DeployContext,
  cleanupDocker: Docker,
  work: () => Promise<T>,
): Promise<T> {
  const { config, docker } = context;
  return withLock(docker, cleanupDocker, config.stack, async () => {
    if (!(await isUnchanged(context))) {
      throw new OperatorError(`the secrets of ${config.stack} were changed by another process`, {
        remedy: "Nothing was changed. Run the same command again.",
        exitCode: ExitCode.locked,
      });
    }
    return work();
  });
}
