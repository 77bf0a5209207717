import { type Config, metricsNetwork } from "../config/resolve.js";

/** A network that is there before the stack. */
export interface ExternalNetwork {
  name: string;
  /** Where the facts about a Swarm have it. */
  fact: "network" | "metrics";
  /** Its key in the config. */
  key: string;
  /** Whose it is. */
  owner: string;
}

/** The networks of Traefik and Prometheus, as far as the stack is on them. */
export function externalNetworks(config: Config): ExternalNetwork[] {
  const networks: ExternalNetwork[] = [];
  if (config.expose === "traefik")
    networks.push({
      name: config.traefik.network,
      fact: "network",
      key: "traefik.network",
      owner: "Traefik",
    });
  const metrics = metricsNetwork(config);
  if (metrics !== undefined)
    networks.push({ name: metrics, fact: "metrics", key: "metrics.network", owner: "Prometheus" });
  return networks;
}
