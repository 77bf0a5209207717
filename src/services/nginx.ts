import type { Config } from "../config/resolve.js";
import type { ConfigMount, SecretMount, Service } from "./composeModel.js";
import { deploy, healthcheck, logging, openFiles, type Rollout, UNPRIVILEGED } from "./parts.js";

/** What distinguishes the small services that are stock nginx with a config of their own. */
interface Role {
  networks: string[];
  configs: ConfigMount[];
  secrets?: SecretMount[];
  /** The URL of the healthcheck. */
  health: string;
  resources: Rollout["resources"];
  labels?: Record<string, string>;
}

/**
 * One task of stock nginx, in the image of the gateway: unprivileged, on a read-only root, with /tmp in
 * memory.
 */
export function nginxService(config: Config, role: Role): Service {
  return {
    image: config.gateway.image,
    user: UNPRIVILEGED,
    entrypoint: ["nginx", "-g", "daemon off;"],
    networks: role.networks,
    ulimits: openFiles(),
    volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 16 * 1024 * 1024 } }],
    configs: role.configs,
    ...(role.secrets ? { secrets: role.secrets } : {}),
    read_only: true,
    cap_drop: ["ALL"],
    healthcheck: healthcheck(config, role.health),
    stop_signal: "SIGQUIT",
    stop_grace_period: "20s",
    logging: logging(),
    deploy: deploy(config, {
      replicas: 1,
      placement: { constraints: [] },
      resources: role.resources,
      startFirst: true,
      ...(role.labels ? { labels: role.labels } : {}),
    }),
  };
}
