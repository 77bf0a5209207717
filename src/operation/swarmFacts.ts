import { type Config, isSharedStorage, storagePlace } from "../config/resolve.js";
import { readClientVersion, readEngineInfo, readEngineVersion } from "../docker/engine.js";
import { listNodes, type SwarmNode } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { externalNetworks } from "../services/externalNetworks.js";
import type { FindingCode } from "./findingCodes.js";
import type { Finding } from "./findings.js";
import {
  internalNetworkName,
  judgeInternalNetwork,
  readNetwork,
  type SwarmNetwork,
} from "./internalNetwork.js";
import { judgeExternalNetworks } from "./judgeExternalNetworks.js";

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
  /** The network of Traefik, undefined where there is none. */
  network: SwarmNetwork | undefined;
  /** The same of Prometheus. */
  metrics?: SwarmNetwork | undefined;
  /** The stack's own network, undefined before its first deploy. */
  internal?: SwarmNetwork | undefined;
  /** The address that the other nodes know this one by. */
  nodeAddress?: string;
  nodes: SwarmNode[];
  /** undefined where the engine runs on another machine. */
  hasIpvs: boolean | undefined;
}

/** capabilities of services came with this API (Docker 20.10), and the tests run with an engine and a CLI of that line. */
const OLDEST_API = [1, 41] as const;

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

/** Judges the facts and returns all findings. Pure. */
export function judgeSwarm(config: Config, facts: SwarmFacts): Finding[] {
  const findings: Finding[] = [];
  const error = (id: FindingCode, message: string, evidence: string, remedy: string) =>
    findings.push({ id, severity: "error", message, evidence, remedy });

  const { client } = facts;
  if (client !== undefined && isTooOld(client.apiVersion)) {
    error(
      "client-too-old",
      `Docker's command line ${client.version} is too old`,
      `docker version: the client's newest API is ${client.apiVersion}, needed ${OLDEST_API.join(".")}`,
      "Install Docker's command line 20.10 or newer, and see that `docker --version` in this shell shows it.",
    );
  }
  if (isTooOld(facts.apiVersion)) {
    error(
      "engine-too-old",
      `Docker Engine ${facts.serverVersion} is too old`,
      `docker version: API ${facts.apiVersion}, needed ${OLDEST_API.join(".")}`,
      "Use Docker Engine 20.10 or newer.",
    );
  }
  if (facts.swarmState !== "active") {
    error(
      "no-swarm",
      "this Docker Engine is not part of a Swarm",
      `docker info: Swarm is ${facts.swarmState}`,
      "Start one with: docker swarm init",
    );
  } else if (!facts.isManager) {
    error(
      "no-manager",
      "this node is a worker of its Swarm",
      `docker info: node ${facts.nodeId} is no manager`,
      "Run this on a manager, or name one with --context or DOCKER_HOST.",
    );
  }
  if (!facts.isManager) return findings;

  findings.push(...judgeExternalNetworks(config, facts));
  findings.push(...judgeInternalNetwork(config, facts.internal));

  const { constraints } = config.registry.placement;
  const fitting = fittingNodes(config, facts);
  const nodes = facts.nodes
    .map(({ Description, Spec, Status }) => `${Description.Hostname} (${Status.State}, ${Spec.Availability})`)
    .join(", ");
  if (fitting.length === 0) {
    error(
      "no-node-fits",
      `no ready node fits ${constraints.join(", ") || "the registry"}`,
      `nodes: ${nodes}`,
      "Change registry.placement.constraints, or give a node the label with: docker node update --label-add",
    );
  } else if (fitting.length > 1 && !isSharedStorage(config)) {
    const names = fitting.map(({ hostname }) => hostname);
    error(
      "several-nodes-fit",
      `${fitting.length} nodes fit the registry, but ${storagePlace(config)} is a folder of one node`,
      `nodes that fit: ${names.join(", ")}`,
      `Name the node: registry.placement.constraints: ["node.hostname == ${names[0]}"]. If all of them share that folder (NFS), set registry.storage.shared: true. Or keep the images in a bucket: registry.storage.driver: s3.`,
    );
  }

  if (config.swarm.endpointMode === "vip" && facts.hasIpvs === false) {
    error(
      "no-ipvs",
      "this kernel has no IPVS, so virtual IPs of services never answer",
      "/proc/net/ip_vs is not there, and no module ip_vs",
      "Set swarm.endpointMode: dnsrr, or load the module with: modprobe ip_vs",
    );
  }
  return findings;
}

const isTooOld = (apiVersion: string): boolean => {
  const [major = 0, minor = 0] = apiVersion.split(".").map(Number);
  return major < OLDEST_API[0] || (major === OLDEST_API[0] && minor < OLDEST_API[1]);
};

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

/** Whether a node fits a placement constraint. Source: Swarm's constraint expressions (docker service create). */
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
