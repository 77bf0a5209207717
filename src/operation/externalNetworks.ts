import { type Config, metricsNetwork } from "../config/resolve.js";
import type { FindingCode } from "./findingCodes.js";
import type { Finding } from "./findings.js";
import type { SwarmNetwork } from "./internalNetwork.js";

/** A network that is there before the stack. */
interface ExternalNetwork {
  name: string;
  found: SwarmNetwork | undefined;
  /** Its key in the config. */
  key: string;
  /** Whose it is. */
  owner: string;
}

/**
 * Whether the networks of Traefik and Prometheus are there, and are networks that services can be on. Pure.
 *
 * @param networks as the engine has them; undefined where there is none of that name
 */
export function judgeExternalNetworks(
  config: Config,
  { network, metrics }: { network: SwarmNetwork | undefined; metrics?: SwarmNetwork | undefined },
): Finding[] {
  const networks: ExternalNetwork[] = [];
  if (config.expose === "traefik")
    networks.push({ name: config.traefik.network, found: network, key: "traefik.network", owner: "Traefik" });
  const ofMetrics = metricsNetwork(config);
  if (ofMetrics !== undefined)
    networks.push({ name: ofMetrics, found: metrics, key: "metrics.network", owner: "Prometheus" });
  return networks.flatMap(judge);
}

function judge({ name, found, key, owner }: ExternalNetwork): Finding[] {
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
