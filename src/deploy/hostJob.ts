import type { Config } from "../config/resolve.js";
import { runJob } from "../docker/jobs.js";
import type { Docker } from "../docker/run.js";
import { loadSetupScript, setupHostArguments } from "../host/setupHost.js";
import type { NamedNode } from "../operation/swarmFacts.js";

/** Where the root of the node is in the job's container. */
const HOST = "/host";

/**
 * Runs ops-scripts/setup_host.sh on another node of the Swarm, as root in the root of that node. Who may create services in a
 * Swarm may do that anyway, so no ssh is needed. The gateway's image has the shell.
 *
 * @param cleanupDocker a docker that still works after an interruption
 * @returns the last line of the script
 * @throws OperatorError with the lines of the script when the node cannot be prepared
 */
export async function setupHostByJob(
  docker: Docker,
  cleanupDocker: Docker,
  config: Config,
  { id }: NamedNode,
  timeoutSeconds: number,
  onProgress: (message: string) => void,
): Promise<string> {
  const script = await loadSetupScript();
  const job = {
    name: "setup-host",
    image: config.gateway.image,
    command: ["chroot", HOST, "sh", "-c", script, "setup_host.sh", ...setupHostArguments(config, false)],
    user: "0:0",
    mounts: [{ source: "/", target: HOST, readOnly: false }],
    constraints: [`node.id==${id}`],
  };
  const lines = await runJob(docker, cleanupDocker, config.stack, job, timeoutSeconds, onProgress);
  return lines.at(-1) ?? "";
}
