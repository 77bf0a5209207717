import { type Config, readsFiles } from "../config/resolve.js";
import { HTTP_SECRET } from "../credentials/secretKinds.js";
import { GATEWAY_PROGRAM } from "../render/gatewayProgram.js";
import { GATEWAY_PORT } from "./addresses.js";
import type { Service } from "./composeModel.js";
import { CACHE_FOLDER, gatewayConfig, gatewaySettings, gatewayUser } from "./gatewayConfig.js";
import { metricsScriptMount } from "./metrics.js";
import { deploy, healthcheck, logging, openFiles, publicConstraints, stopGracePeriod } from "./parts.js";
import { secretMount } from "./secretMounts.js";
import type { StackService } from "./stackService.js";
import { storageParts } from "./storageParts.js";
import { traefikLabels } from "./traefikLabels.js";

/**
 * When a connection to a task whose node died is given up, in the network namespace of the gateway: where
 * data is on its way after some 50 seconds (7 repetitions, each after twice the time of the one before),
 * where an answer is waited for after 45. Linux takes a quarter of an hour and for ever otherwise
 * (ip-sysctl.rst).
 */
const DEAD_PEER = {
  "net.ipv4.tcp_retries2": 7,
  "net.ipv4.tcp_keepalive_time": 15,
  "net.ipv4.tcp_keepalive_intvl": 5,
  "net.ipv4.tcp_keepalive_probes": 6,
};

/** The volume of the cache of layers, on each node that runs a gateway. */
const CACHE_VOLUME = "layers";

/**
 * The service `gateway`: stock nginx in front of the registry, with a program that decides about each
 * request. It speaks the Bearer protocol to clients, has the registry check a password once, and sends what
 * that user writes with an account of its own.
 */
export function gateway(config: Config): StackService {
  return {
    service: service(config),
    files: (texts) => ({
      gateway: { path: "gateway/nginx.conf", text: gatewayConfig(config, texts) },
      "gateway-program": { path: "gateway/gateway.js", text: `// ${texts.header}\n${GATEWAY_PROGRAM}` },
      "gateway-settings": { path: "gateway/gateway.json", text: gatewaySettings(config) },
    }),
  };
}

function service(config: Config): Service {
  const { gateway, registry } = config;
  const user = gatewayUser(config);
  const behindTraefik = config.expose === "traefik";
  const route = {
    name: `${config.stack}-registry`,
    host: config.registry.host,
    port: GATEWAY_PORT,
    healthPath: "/healthz",
  };
  return {
    image: gateway.image,
    // nginx reads its config and writes below /tmp.
    user,
    entrypoint: ["nginx", "-g", "daemon off;"],
    // There `http://registry:5000` is this gateway, with its rules and limits.
    networks: behindTraefik
      ? { [config.networks.internal]: {}, [config.traefik.network]: { aliases: ["registry"] } }
      : [config.networks.internal],
    ...(behindTraefik
      ? {}
      : {
          ports: [{ target: GATEWAY_PORT, published: config.ports.registry, protocol: "tcp", mode: "host" }],
        }),
    ulimits: openFiles(),
    // With one task there is none to which the push could be repeated.
    ...(registry.replicas > 1 ? { sysctls: DEAD_PEER } : {}),
    volumes: [
      { type: "tmpfs", target: "/tmp", tmpfs: { size: 32 * 1024 * 1024 } },
      ...(readsFiles(config) ? storageParts(config, true).volumes : []),
      ...(gateway.cache === undefined
        ? []
        : [{ type: "volume", source: CACHE_VOLUME, target: CACHE_FOLDER } as const]),
    ],
    configs: [
      { source: "gateway", target: "/etc/nginx/nginx.conf" },
      { source: "gateway-program", target: "/etc/nginx/gateway.js" },
      { source: "gateway-settings", target: "/etc/nginx/gateway.json" },
      ...(config.metrics.enabled ? [metricsScriptMount()] : []),
    ],
    // The registry's http.secret is what the key of tokens is made of: no rotation changes it.
    secrets: [secretMount("gateway", "gateway", user), secretMount(HTTP_SECRET, HTTP_SECRET, user)],
    read_only: true,
    cap_drop: ["ALL"],
    // A master process of root gives its workers a group, though it is the same.
    ...(user.startsWith("0:") ? { cap_add: ["SETGID"] } : {}),
    healthcheck: healthcheck(config, `http://127.0.0.1:${GATEWAY_PORT}/healthz`),
    stop_signal: "SIGQUIT",
    stop_grace_period: stopGracePeriod(behindTraefik),
    logging: logging(),
    deploy: deploy(config, {
      ...gateway,
      placement: {
        ...gateway.placement,
        constraints: readsFiles(config)
          ? registry.placement.constraints
          : publicConstraints(config, gateway.placement.constraints),
      },
      startFirst: behindTraefik,
      ...(behindTraefik ? { labels: traefikLabels(config, route) } : {}),
    }),
  };
}
