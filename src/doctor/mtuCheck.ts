import type { Config } from "../config/resolve.js";
import { interfaceOf, type NetworkInterface } from "../host/interfaces.js";
import { internalNetworkName, mtuOf, type SwarmNetwork } from "../operation/internalNetwork.js";
import { externalNetworks } from "../services/externalNetworks.js";
import { MTU_OPTION } from "../stack.js";
import type { Check } from "./check.js";
import { type Finding, warning } from "./finding.js";

/** What can be seen of the way between the nodes. */
export interface MtuFacts {
  /** The stack's own network, Traefik's, and Prometheus's. */
  internal: SwarmNetwork | undefined;
  network: SwarmNetwork | undefined;
  metrics?: SwarmNetwork | undefined;
  /** The interface of this machine that has the node's address; undefined where the engine runs elsewhere. */
  link: NetworkInterface | undefined;
  /** Nodes of the Swarm. */
  nodes: number;
}

/** A network by its name, as the engine has it, and what to do where its MTU is too large. */
type MtuSubject = [name: string, found: SwarmNetwork | undefined, remedy: string];

/**
 * Whether the packets of the overlay networks fit through this node's interface: those that do not are dropped, so
 * small requests answer and layers hang. Other nodes cannot be seen from here.
 */
export function judgeMtu(config: Config, { internal, link, nodes, ...external }: MtuFacts): Finding[] {
  // One node alone sends nothing through VXLAN.
  if (link === undefined || nodes < 2) return [];
  // Where the config is right already, the network is told to differ from it.
  const isSet = config.networks.mtu !== undefined && config.networks.mtu <= link.mtu;
  const networks: MtuSubject[] = [
    [internalNetworkName(config), isSet ? undefined : internal, `Set networks.mtu: ${link.mtu}`],
    ...externalNetworks(config).map(
      ({ name, fact }): MtuSubject => [
        name,
        external[fact],
        `Remove it and create it again with: docker network create --driver overlay --attachable --opt ${MTU_OPTION}=${link.mtu} ${name}`,
      ],
    ),
  ];
  return networks
    .filter(([, found]) => found !== undefined && mtuOf(found) > link.mtu)
    .map(([name, found, remedy]) =>
      warning(
        "mtu-too-large",
        `packets of the network ${name} do not fit between the nodes: small requests succeed, layers hang`,
        `the network's MTU is ${mtuOf(found)}, that of ${link.name} (${link.address}) on this node ${link.mtu}; the other nodes cannot be seen from here`,
        remedy,
      ),
    );
}

export const mtuCheck: Check = {
  id: "mtu",
  title: "MTU between the nodes",
  theme: "Docker and Swarm",
  needs: "manager",
  run: async ({ config, endpoint, swarm }) => {
    if (!(await endpoint()).isLocal) return [];
    const { internal, network, metrics, nodeAddress, nodes } = await swarm();
    const link = nodeAddress ? await interfaceOf(nodeAddress) : undefined;
    return judgeMtu(config, { internal, network, metrics, link, nodes: nodes.length });
  },
};
