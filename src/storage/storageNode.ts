import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { fittingNodes, readSwarmFacts } from "../operation/swarmFacts.js";

/**
 * Sees that containers run on the node with the storage.
 *
 * @param docker of a manager
 * @param storageDocker of the node that shall have the storage
 * @returns the node's name
 * @throws OperatorError that names the right node
 */
export async function requireStorageNode(
  docker: Docker,
  storageDocker: Docker,
  config: Config,
): Promise<string> {
  const facts = await readSwarmFacts(docker, config, undefined);
  const refuse = (message: string, remedy: string) =>
    new OperatorError(message, { where: config.stack, remedy, exitCode: ExitCode.preflight });
  if (!facts.isManager) {
    throw refuse(
      "this Docker Engine is no Swarm manager",
      "Run this on a manager, or name one with --context or DOCKER_HOST.",
    );
  }
  const fitting = fittingNodes(config, facts);
  const nodeId = (await storageDocker.run(["info", "--format", "{{.Swarm.NodeID}}"])).trim();
  const here = fitting.find(({ ID }) => ID === nodeId);
  if (here) return here.Description.Hostname;
  const names = fitting.map(({ Description }) => Description.Hostname);
  throw refuse(
    names.length > 0
      ? `the storage lies on ${names.join(" or ")}, and docker talks to another node`
      : "no ready node fits the registry, so nobody knows where the storage lies",
    names.length > 0
      ? `Run this on ${names[0]}, or name a docker context of it: --context NAME, or --storage-context NAME where it is a worker`
      : "See registry.placement.constraints and: docker node ls",
  );
}
