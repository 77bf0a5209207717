import type { Config } from "../config/resolve.js";
import { error, type Finding, findingKinds, warning } from "../finding.js";
import { interfaceOf, type NetworkInterface } from "../host/interfaces.js";
import { type ExternalNetwork, externalNetworks } from "../services/externalNetworks.js";
import { internalNetworkOptions, MTU_OPTION } from "../stack.js";
import {
  DEFAULT_MTU,
  internalNetworkName,
  isEncrypted,
  mtuOf,
  type SwarmNetwork,
} from "../swarm/internalNetwork.js";
import type { SwarmFacts } from "../swarm/swarmFacts.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Docker and Swarm", {
  "network-missing": error(
    "the network {name} does not exist",
    "Create it with: docker network create --driver overlay --attachable {name} ({owner} must be on it), or set {key}.",
  ),
  "network-not-overlay": error(
    "the network {name} is of driver {driver} and scope {scope}",
    "Services need an overlay network of scope swarm: create one under another name and set {key}.",
  ),
  "network-options-differ": warning(
    "the network {name} is {present}; the config says {wanted}",
    "A deploy never changes a network that exists. Make it again while nobody pulls or pushes: docker stack rm {stack}, wait until its containers are gone, then hephaestus deploy. Images, passwords and history stay.",
  ),
  "mtu-too-large": warning(
    "packets of the network {name} do not fit between the nodes: small requests succeed, layers hang",
    "Give it the MTU of the nodes: {change}",
  ),
});
const { found } = kinds;

/** External networks as the engine has them; undefined if there is none of that name. */
type ExternalNetworkFacts = { [fact in ExternalNetwork["fact"]]?: SwarmNetwork | undefined };

/** Whether the networks of the config are there as the stack needs them. Pure. */
export const judgeNetworks = (config: Config, facts: SwarmFacts): Finding[] => [
  ...judgeExternalNetworks(config, facts),
  ...judgeInternalNetwork(config, facts.internal),
];

/** The networks of Traefik and Prometheus: services can only be on overlay networks. */
const judgeExternalNetworks = (config: Config, facts: ExternalNetworkFacts): Finding[] =>
  externalNetworks(config).flatMap(({ name, key, owner, fact }) => {
    const network = facts[fact];
    if (network === undefined)
      return [found("network-missing", { name, owner, key }, `docker network inspect ${name} finds none`)];
    const { driver, scope } = network;
    if (driver === "overlay" && scope === "swarm") return [];
    return [found("network-not-overlay", { name, driver, scope, key }, `docker network inspect ${name}`)];
  });

/** Whether the stack's own network is the one that the config describes. */
export function judgeInternalNetwork(config: Config, network: SwarmNetwork | undefined): Finding[] {
  if (network === undefined) return [];
  const name = internalNetworkName(config);
  const has = network.options ?? {};
  const wanted = internalNetworkOptions(config);
  const faults: [string, string][] = [];
  if (mtuOf(network) !== Number(wanted[MTU_OPTION] ?? DEFAULT_MTU))
    faults.push([`MTU ${mtuWords(has)}`, `MTU ${mtuWords(wanted)}`]);
  if (isEncrypted(has) !== isEncrypted(wanted)) faults.push([encryptionWords(has), encryptionWords(wanted)]);
  if (faults.length === 0) return [];
  const values = {
    name,
    present: faults.map(([is]) => is).join(", "),
    wanted: faults.map(([, should]) => should).join(", "),
    stack: config.stack,
  };
  const evidence = `docker network inspect ${name}: Options ${JSON.stringify(has)}`;
  return [found("network-options-differ", values, evidence)];
}

const mtuWords = (options: Readonly<Record<string, string>>): string =>
  options[MTU_OPTION] ?? `${DEFAULT_MTU} (Docker's default)`;

const encryptionWords = (options: Readonly<Record<string, string>>): string =>
  isEncrypted(options) ? "encrypted" : "not encrypted";

/** What can be seen of the way between the nodes. */
interface MtuFacts extends ExternalNetworkFacts {
  /** The stack's own network. */
  internal: SwarmNetwork | undefined;
  /** The interface of this machine that has the node's address; undefined if the engine runs elsewhere. */
  link: NetworkInterface | undefined;
  /** Nodes of the Swarm. */
  nodes: number;
}

/**
 * Whether the packets of the overlay networks fit through this node's interface: those that do not are
 * dropped, so small requests answer and layers hang. Other nodes cannot be seen from here.
 */
export function judgeMtu(config: Config, { internal, link, nodes, ...external }: MtuFacts): Finding[] {
  // One node alone sends nothing through VXLAN.
  if (link === undefined || nodes < 2) return [];
  const { mtu, name: interfaceName, address } = link;
  // If the config is right already, the network is reported as different from it.
  const isSet = config.networks.mtu !== undefined && config.networks.mtu <= mtu;
  const judge = (name: string, network: SwarmNetwork | undefined, change: string): Finding[] => {
    if (network === undefined || mtuOf(network) <= mtu) return [];
    const evidence = `the network's MTU is ${mtuOf(network)}, the one of ${interfaceName} (${address}) on this node is ${mtu}; the other nodes cannot be seen from here`;
    return [found("mtu-too-large", { name, change }, evidence)];
  };
  return [
    ...judge(internalNetworkName(config), isSet ? undefined : internal, `networks.mtu: ${mtu}`),
    ...externalNetworks(config).flatMap(({ name, fact }) =>
      judge(
        name,
        external[fact],
        `remove it, and create it again with: docker network create --driver overlay --attachable --opt ${MTU_OPTION}=${mtu} ${name}`,
      ),
    ),
  ];
}

export const networkChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "networks",
      needs: "manager",
      preflight: true,
      run: async ({ config, swarm }) => judgeNetworks(config, await swarm()),
    },
    {
      title: "MTU between the nodes",
      needs: "manager",
      run: async ({ config, endpoint, swarm }) => {
        if (!(await endpoint()).isLocal) return [];
        const { internal, network, metrics, nodeAddress, nodes } = await swarm();
        const link = nodeAddress ? await interfaceOf(nodeAddress) : undefined;
        return judgeMtu(config, { internal, network, metrics, link, nodes: nodes.length });
      },
    },
  ],
};
