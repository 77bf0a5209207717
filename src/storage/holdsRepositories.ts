import { runJob } from "../docker/jobs.js";
import type { Docker } from "../docker/run.js";
import type { DeployContext } from "../operation/context.js";
import { STORAGE } from "../stack/storageParts.js";

import { runningStorage } from "./runningStorage.js";

/** Seconds for the job, which reads one folder. */
const SECONDS = 60;

/**
 * Whether the folder of the running registry holds repositories, whatever its front door shows.
 *
 * @param cleanupDocker a docker that still works after an interruption
 * @returns the name of its node if it does
 */
export async function holdsRepositories(
  { docker, config, reporter }: DeployContext,
  cleanupDocker: Docker,
): Promise<string | undefined> {
  const storage = await runningStorage(docker, config.stack);
  if (storage?.driver !== "filesystem") return undefined;
  const job = {
    name: "look",
    image: config.gateway.image,
    command: ["/bin/sh", "-c", `ls ${STORAGE}/docker/registry/v2/repositories 2>/dev/null | head -n 1`],
    user: storage.user,
    mounts: [{ source: storage.path, target: STORAGE, readOnly: true }],
    constraints: [`node.id==${storage.node.id}`],
  };
  const lines = await runJob(docker, cleanupDocker, config.stack, job, SECONDS, reporter.progress);
  return lines.length > 0 ? storage.node.hostname : undefined;
}
