import type { Config } from "../config/resolve.js";
import type { Service } from "./compose.js";
import { secretMount } from "./secrets.js";
import { deploy, healthcheck, logging, publicNetworks, stopGracePeriod } from "./service.js";
import { traefikLabels } from "./traefik.js";

export const GATEWAY_PORT = 5000;

/** Port inside the gateway's container, on its loopback, where unproven passwords are checked. */
export const CHECK_PORT = 5001;

/** Seconds for which a password that proved right is not asked about again. */
export const CHECK_SECONDS = 45;

/** nginx needs no account of its own in the image: it reads its config and writes below /tmp. */
const USER = "65532:65532";

/**
 * The service `gateway`: stock nginx in front of registry and reader. It speaks the Bearer protocol to clients, has the
 * registry check a password once, and sends what that user writes with an account of its own.
 */
export function gatewayService(config: Config): Service {
  const { gateway } = config;
  const behindTraefik = config.expose === "traefik";
  const route = {
    name: `${config.stack}-registry`,
    host: config.registry.host,
    port: GATEWAY_PORT,
    healthPath: "/healthz",
  };
  return {
    image: gateway.image,
    user: USER,
    entrypoint: ["nginx", "-g", "daemon off;"],
    networks: publicNetworks(config),
    ...(behindTraefik
      ? {}
      : {
          ports: [{ target: GATEWAY_PORT, published: config.ports.registry, protocol: "tcp", mode: "host" }],
        }),
    volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 64 * 1024 * 1024 } }],
    configs: [{ source: "gateway", target: "/etc/nginx/nginx.conf" }],
    secrets: [secretMount("gateway", "gateway", USER)],
    read_only: true,
    cap_drop: ["ALL"],
    healthcheck: healthcheck(`http://127.0.0.1:${GATEWAY_PORT}/healthz`),
    stop_signal: "SIGQUIT",
    stop_grace_period: stopGracePeriod(behindTraefik),
    logging: logging(),
    deploy: deploy(config, {
      ...gateway,
      startFirst: behindTraefik,
      ...(behindTraefik ? { labels: traefikLabels(config, route) } : {}),
    }),
  };
}
