import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { fittingNodes, readSwarmFacts } from "../operation/swarmFacts.js";
import { runningStorage, withRunningStorage } from "./runningStorage.js";

/** Where containers that work on the storage run, and on which folder. */
export interface StorageNode {
  hostname: string;
  /** The config, with the storage of the registry that runs. */
  config: Config;
}

/**
 * Checks that containers run on the node with the storage: the node of the registry that runs, or, where none ever ran, the one
 * that fits the config.
 *
 * @param docker of a manager
 * @param storageDocker of the node that should have the storage
 * @throws OperatorError that names the right node
 */
export async function requireStorageNode(
  docker: Docker,
  storageDocker: Docker,
  config: Config,
): Promise<StorageNode> {
  const facts = await readSwarmFacts(docker, config, undefined);
  const refuse = (message: string, remedy: string) =>
    new OperatorError(message, { where: config.stack, remedy, exitCode: ExitCode.preflight });
  if (!facts.isManager) {
    throw refuse(
      "this Docker Engine is not a Swarm manager",
      "Run this on a manager, or name one with --context or DOCKER_HOST.",
    );
  }
  const storage = await runningStorage(docker, config.stack);
  const nodes = storage ? [storage.node] : fittingNodes(config, facts);
  const nodeId = (await storageDocker.run(["info", "--format", "{{.Swarm.NodeID}}"])).trim();
  const here = nodes.find(({ id }) => id === nodeId);
  if (here)
    return { hostname: here.hostname, config: storage ? withRunningStorage(config, storage) : config };
  const names = nodes.map(({ hostname }) => hostname);
  throw refuse(
    names.length > 0
      ? `the storage is on ${names.join(" or ")}, and docker talks to another node`
      : "no ready node fits the registry, so it is not known where the storage is",
    names.length > 0
      ? `Run this on ${names[0]}, or name a docker context of it: --context NAME, or --storage-context NAME if it is a worker`
      : "See registry.placement.constraints and: docker node ls",
  );
}
