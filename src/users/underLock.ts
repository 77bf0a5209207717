import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { DeployContext } from "../operation/context.js";
import { withLock } from "../operation/stackLock.js";
import { isUnchanged } from "./generations.js";

/**
 * Works on the stack while nobody else does.
 *
 * @throws OperatorError when somebody else works on it, or has changed its secrets since preflight looked
 */
export async function underLock<T>(
  context: DeployContext,
  cleanupDocker: Docker,
  work: () => Promise<T>,
): Promise<T> {
  const { config, docker } = context;
  return withLock(docker, cleanupDocker, config.stack, async () => {
    if (!(await isUnchanged(context))) {
      throw new OperatorError(`somebody else changed the secrets of ${config.stack} just now`, {
        remedy: "Nothing was touched. Run the same command again.",
        exitCode: ExitCode.locked,
      });
    }
    return work();
  });
}
