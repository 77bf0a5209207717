import { storageFolder } from "../config/resolve.js";
import { loadSetupScript, setupHost, setupHostArguments } from "../host/setupHost.js";
import type { Session } from "../session.js";
import { runJob } from "../swarm/jobs.js";
import type { NamedNode } from "../swarm/swarmFacts.js";
import { type Ending, inStep, skipped } from "../terminal/inStep.js";

/**
 * How the node of the storage is reached: as user@host over ssh, by a Swarm job, or, with neither, as this
 * machine.
 */
export interface StorageHost {
  address?: string | undefined;
  node?: NamedNode;
}

const HOST = { id: "setup-host", title: "Host" } as const;

/** Why no host is prepared. */
export const hostSkip = ({ config, options }: Pick<Session, "config" | "options">): string | undefined =>
  storageFolder(config) === undefined
    ? "the images are in a bucket"
    : options.hostSetup
      ? undefined
      : "--skip-host-setup";

/** Prepares the folder of the storage on its node: here, over ssh, or by a Swarm job. */
export const prepareHost = (session: Session, { address, node }: StorageHost): Promise<Ending> =>
  inStep(session.reporter, HOST, async () => {
    const reason = hostSkip(session);
    if (reason !== undefined) return skipped(reason);
    const output = node
      ? await setupHostByJob(session, node)
      : (await setupHost(session.config, address, false)).output;
    const line = output.split("\n").at(-1) ?? "";
    return `${line.replace(/^setup_host: /, "")}${node ? ` on ${node.hostname}` : ""}`;
  });

/** What prepareHost would do. */
export const showHost = (session: Session, { address, node }: StorageHost): Promise<Ending> =>
  inStep(session.reporter, HOST, async () => {
    const reason = hostSkip(session);
    if (reason !== undefined) return skipped(reason);
    if (node) return `would prepare ${node.hostname} with a Swarm job`;
    const { ready, output } = await setupHost(session.config, address, true);
    return ready ? "ready" : `would prepare it: ${output.split("\n").join("; ")}`;
  });

/** Where the root of the node is in the job's container. */
const ROOT = "/host";

/**
 * Runs ops-scripts/setup_host.sh on another node of the Swarm, as root in the root of that node. Who may
 * create services in a Swarm may do that anyway, so no ssh is needed. The gateway's image has the shell.
 *
 * @returns the last line of the script
 * @throws OperatorError with the lines of the script when the node cannot be prepared
 */
async function setupHostByJob(session: Session, { id }: NamedNode): Promise<string> {
  const { config, options, reporter } = session;
  const script = loadSetupScript();
  const job = {
    name: "setup-host",
    image: config.gateway.image,
    command: ["chroot", ROOT, "sh", "-c", script, "setup_host.sh", ...setupHostArguments(config, false)],
    user: "0:0",
    mounts: [{ source: "/", target: ROOT, readOnly: false }],
    constraints: [`node.id==${id}`],
  };
  const lines = await runJob(session, config.stack, job, options.timeoutSeconds, reporter.progress);
  return lines.at(-1) ?? "";
}
