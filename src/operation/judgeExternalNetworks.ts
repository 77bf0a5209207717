import type { Config } from "../config/resolve.js";
import { type ExternalNetwork, externalNetworks } from "../services/externalNetworks.js";
import type { FindingCode } from "./findingCodes.js";
import type { Finding } from "./findings.js";
import type { SwarmNetwork } from "./internalNetwork.js";

/** External networks as the engine has them; undefined where there is none of that name. */
export type ExternalNetworkFacts = { [fact in ExternalNetwork["fact"]]?: SwarmNetwork | undefined };

/** Whether the networks of Traefik and Prometheus are there, and are networks that services can be on. Pure. */
export const judgeExternalNetworks = (config: Config, facts: ExternalNetworkFacts): Finding[] =>
  externalNetworks(config).flatMap((network) => judge(network, facts[network.fact]));

function judge({ name, key, owner }: ExternalNetwork, found: SwarmNetwork | undefined): Finding[] {
  const finding = (id: FindingCode, message: string, evidence: string, remedy: string): Finding[] => [
    { id, severity: "error", message, evidence, remedy },
  ];
  if (found === undefined) {
    return finding(
      "network-missing",
      `the network ${name} does not exist`,
      `docker network inspect ${name} finds none`,
      `Create it with: docker network create --driver overlay --attachable ${name} (${owner} must be on it), or set ${key}.`,
    );
  }
  if (found.driver === "overlay" && found.scope === "swarm") return [];
  return finding(
    "network-not-overlay",
    `the network ${name} is of driver ${found.driver} and scope ${found.scope}`,
    `docker network inspect ${name}`,
    `Services need an overlay network of scope swarm: create one under another name and set ${key}.`,
  );
}
