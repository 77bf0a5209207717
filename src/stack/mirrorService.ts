import type { Config } from "../config/resolve.js";
import type { Service } from "./composeModel.js";
import { secretMount } from "./secretMounts.js";
import { deploy, logging, outerNetworks, UNPRIVILEGED } from "./service.js";

/** Where regsync finds its config. */
export const REGSYNC_CONFIG = "/etc/regsync/regsync.yml";

/** The folder of the logins at sources, a config.json as Docker's. Source: regclient, config/docker.go. */
const LOGINS_FOLDER = "/etc/regsync";

/** The account that the mirror pushes with, as USER:PASSWORD. */
export const MIRROR_ACCOUNT = "/run/secrets/mirror";

/** The program of the image without a shell. Source: regclient, build/Dockerfile.regsync. */
export const REGSYNC = "/regsync";

/** Its log as JSON lines. */
export const REGSYNC_LOG = ["--logopt", "json"] as const;

/**
 * The service `mirror`: regsync, which copies images of other registries here. It asks the gateway, as a machine account
 * that may push to the targets of `mirror` alone, and is not on the stack's own network behind Traefik.
 */
export function mirrorService(config: Config): Service {
  const { regsync } = config;
  return {
    image: regsync.image,
    user: UNPRIVILEGED,
    entrypoint: [REGSYNC, ...REGSYNC_LOG, "server", "--config", REGSYNC_CONFIG],
    environment: { DOCKER_CONFIG: LOGINS_FOLDER },
    networks: outerNetworks(config),
    volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 64 * 1024 * 1024 } }],
    configs: [{ source: "mirror", target: REGSYNC_CONFIG }],
    secrets: [
      secretMount("mirror", "mirror", UNPRIVILEGED),
      ...(regsync.logins ? [secretMount("mirror-logins", `${LOGINS_FOLDER}/config.json`, UNPRIVILEGED)] : []),
    ],
    read_only: true,
    cap_drop: ["ALL"],
    stop_grace_period: "60s",
    logging: logging(),
    deploy: deploy(config, {
      replicas: 1,
      placement: regsync.placement,
      resources: regsync.resources,
      startFirst: false,
    }),
  };
}
