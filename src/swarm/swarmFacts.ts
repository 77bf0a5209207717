import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { externalNetworks } from "../services/externalNetworks.js";
import { readClientVersion, readEngineInfo, readEngineVersion } from "./engine.js";
import { internalNetworkName, readNetwork, type SwarmNetwork } from "./internalNetwork.js";
import { listNodes, type SwarmNode } from "./objects.js";

/** Facts about the engine and the Swarm. */
export interface SwarmFacts {
  serverVersion: string;
  apiVersion: string;
  /** The oldest API that the engine speaks. */
  minApiVersion?: string | undefined;
  /** The docker command's version, and the newest API that it speaks. */
  client?: { version: string; apiVersion: string };
  swarmState: string;
  isManager: boolean;
  /** The node that answers. */
  nodeId: string;
  /** The network of Traefik, undefined if there is none. */
  network: SwarmNetwork | undefined;
  /** The same of Prometheus. */
  metrics?: SwarmNetwork | undefined;
  /** The stack's own network, undefined before its first deploy. */
  internal?: SwarmNetwork | undefined;
  /** The address that the other nodes know this one by. */
  nodeAddress?: string;
  nodes: SwarmNode[];
  /** undefined if the engine runs on another machine. */
  hasIpvs: boolean | undefined;
}

/**
 * Asks the engine for everything that preflight judges.
 *
 * @throws OperatorError when Docker does not answer at all
 */
export async function readSwarmFacts(
  docker: Docker,
  config: Config,
  hasIpvs: boolean | undefined,
): Promise<SwarmFacts> {
  const version = await readEngineVersion(docker);
  const client = await readClientVersion(docker);
  const { Swarm: swarm } = await readEngineInfo(docker);
  const facts: SwarmFacts = {
    serverVersion: version.Version,
    apiVersion: version.ApiVersion,
    minApiVersion: version.MinAPIVersion,
    client: { version: client.Version, apiVersion: client.DefaultAPIVersion ?? client.ApiVersion },
    swarmState: swarm.LocalNodeState,
    isManager: swarm.ControlAvailable,
    nodeId: swarm.NodeID,
    nodeAddress: swarm.NodeAddr,
    network: undefined,
    nodes: [],
    hasIpvs,
  };
  if (!facts.isManager) return facts;
  for (const { name, fact } of externalNetworks(config)) facts[fact] = await readNetwork(docker, name);
  facts.internal = await readNetwork(docker, internalNetworkName(config));
  facts.nodes = await listNodes(docker);
  return facts;
}

/** A node by its id and its host name. */
export interface NamedNode {
  id: string;
  hostname: string;
}

/** The ready nodes that the registry may run on. */
export function fittingNodes(config: Config, facts: SwarmFacts): NamedNode[] {
  const { constraints } = config.registry.placement;
  return facts.nodes
    .filter((node) => isReady(node) && constraints.every((rule) => fits(node, rule)))
    .map(({ ID, Description }) => ({ id: ID, hostname: Description.Hostname ?? ID }));
}

const isReady = (node: SwarmNode): boolean =>
  node.Status.State === "ready" && node.Spec.Availability === "active";

/**
 * Whether a node fits a placement constraint. Source: Swarm's constraint expressions (docker service create).
 */
function fits(node: SwarmNode, constraint: string): boolean {
  const [, key = "", operator, wanted = ""] = /^(\S+?) ?(==|!=) ?(\S+)$/.exec(constraint) ?? [];
  const equal = attribute(node, key).toLowerCase() === wanted.toLowerCase();
  return operator === "==" ? equal : !equal;
}

function attribute(node: SwarmNode, key: string): string {
  if (key.startsWith("node.labels.")) return node.Spec.Labels?.[key.slice("node.labels.".length)] ?? "";
  if (key.startsWith("engine.labels."))
    return node.Description.Engine?.Labels?.[key.slice("engine.labels.".length)] ?? "";
  const values: Record<string, string | undefined> = {
    "node.id": node.ID,
    "node.hostname": node.Description.Hostname,
    "node.role": node.Spec.Role,
    "node.ip": node.Status.Addr,
    "node.platform.os": node.Description.Platform?.OS,
    "node.platform.arch": node.Description.Platform?.Architecture,
  };
  return values[key] ?? "";
}
