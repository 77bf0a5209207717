import { storageFolder } from "../config/resolve.js";
import { setupHost } from "../host/setupHost.js";
import type { Session } from "../operation/stackSession.js";
import type { NamedNode } from "../operation/swarmFacts.js";
import { type Ending, inStep, skipped } from "../terminal/inStep.js";
import { setupHostByJob } from "./hostJob.js";

/** How the node of the storage is reached: as user@host over ssh, by a Swarm job, or, with neither, as this machine. */
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
