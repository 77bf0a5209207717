import { runJob } from "../docker/jobs.js";
import { loadSetupScript, setupHostArguments } from "../host/setupHost.js";
import type { Session } from "../operation/stackSession.js";
import type { NamedNode } from "../operation/swarmFacts.js";

/** Where the root of the node is in the job's container. */
const HOST = "/host";

/**
 * Runs ops-scripts/setup_host.sh on another node of the Swarm, as root in the root of that node. Who may create services in a
 * Swarm may do that anyway, so no ssh is needed. The gateway's image has the shell.
 *
 * @returns the last line of the script
 * @throws OperatorError with the lines of the script when the node cannot be prepared
 */
export async function setupHostByJob(session: Session, { id }: NamedNode): Promise<string> {
  const { config, options, reporter } = session;
  const script = await loadSetupScript();
  const job = {
    name: "setup-host",
    image: config.gateway.image,
    command: ["chroot", HOST, "sh", "-c", script, "setup_host.sh", ...setupHostArguments(config, false)],
    user: "0:0",
    mounts: [{ source: "/", target: HOST, readOnly: false }],
    constraints: [`node.id==${id}`],
  };
  const lines = await runJob(session, config.stack, job, options.timeoutSeconds, reporter.progress);
  return lines.at(-1) ?? "";
}
