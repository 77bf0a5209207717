import type { Config } from "../config/resolve.js";
import { hasRules } from "./accessMaps.js";
import type { Service } from "./composeModel.js";
import { metricsScriptMount } from "./metricsService.js";
import { secretMount } from "./secretMounts.js";
import {
  deploy,
  healthcheck,
  logging,
  openFiles,
  publicConstraints,
  stopGracePeriod,
  UNPRIVILEGED,
} from "./service.js";
import { traefikLabels } from "./traefikLabels.js";

export const GATEWAY_PORT = 5000;

/** The gateway's name for the other services of the stack. */
export const gatewayAddress = (config: Config): string => `${config.stack}_gateway:${GATEWAY_PORT}`;

/**
 * The gateway's address for services that are not its own: `registry:5000` on Traefik's network. Without Traefik they are
 * on the stack's own network, where that is the registry.
 */
export const insideAddress = ({ expose }: Pick<Config, "expose">): string =>
  `${expose === "traefik" ? "registry" : "gateway"}:${GATEWAY_PORT}`;

/** Where nginx finds the script that judges what maps cannot. */
export const SCRIPT_PATH = "/etc/nginx/access.js";

/**
 * How fast passwords are checked that were not right the last time. At cost 12 a check takes 0.2 to 0.4 s of a core. No check
 * waits longer than Docker's command does for a login (15 s), nearly.
 */
export const CHECK_LIMITS = {
  /** While few are wrong, for all clients together: so many in a second, so many that start at once, and so many that wait. */
  swiftPerSecond: 8,
  swiftAtOnce: 15,
  swiftWaiting: 110,
  /** How many of these may be in progress or wait for one network: an office, or an ingress network, is one. */
  atOnceOfAddress: 60,
  /** Wrong ones of everybody: so many at once, then so many in a minute, are few. The question itself counts, every few seconds. */
  guessesAtOnce: 30,
  guessesPerMinute: 40,
  calmSeconds: 5,
  /** So many at most are remembered: the quiet minutes that it takes until they are few again. */
  guessesRemembered: 60,
  /** While passwords are guessed, for all clients together: anonymous pulls keep the rest of the processor. */
  checksPerMinute: 24,
  /** How many start at once after a quiet time, beside the first. */
  atOnce: 9,
  /** How many may be in progress or wait for their turn beside the first, and how many of them may come from one network. */
  waiting: 14,
  waitingOfAddress: 4,
  /** Wrong ones of a network: so many at once, then so many in a minute. */
  wrongAtOnce: 10,
  wrongPerMinute: 8,
  /** Seconds within which a check has its turn and its answer. */
  patience: 20,
} as const;

/** What nginx holds of an answer that its client does not read: proxy_buffers and proxy_buffer_size, in MiB. */
const ANSWER_MIB = 0.15;

/**
 * How many reads may be in progress, for all clients and for one network. Answers that nobody reads fill half of the memory
 * that a task may use at most; so many are hardly meant where it has no limit.
 */
export function answerLimits({ gateway }: Pick<Config, "gateway">): {
  answers: number;
  answersOfNetwork: number;
} {
  const { memory } = gateway.resources.limits;
  const answers = memory === undefined ? 4000 : Math.max(60, Math.floor(mebibytes(memory) / 2 / ANSWER_MIB));
  return { answers, answersOfNetwork: Math.ceil(answers / 3) };
}

/** 512M and 1G in MiB. */
const mebibytes = (size: string): number => Number.parseInt(size, 10) * (/g/i.test(size) ? 1024 : 1);

/**
 * When a connection to a task whose node died is given up, in the network namespace of the gateway: where data is on its way after
 * some 50 seconds (7 repetitions, each after twice the time of the one before), where an answer is waited for after 45. Linux takes
 * a quarter of an hour and for ever otherwise (ip-sysctl.rst).
 */
const DEAD_PEER = {
  "net.ipv4.tcp_retries2": 7,
  "net.ipv4.tcp_keepalive_time": 15,
  "net.ipv4.tcp_keepalive_intvl": 5,
  "net.ipv4.tcp_keepalive_probes": 6,
};

/** The volume of the cache of layers, on each node that runs a gateway. */
export const CACHE_VOLUME = "layers";

/** A world-writable folder of the image. A new volume gets the content and the mode of the folder that it covers. */
export const CACHE_FOLDER = "/var/tmp";

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
    // nginx reads its config and writes below /tmp.
    user: UNPRIVILEGED,
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
    ...(config.registry.replicas > 1 ? { sysctls: DEAD_PEER } : {}),
    volumes: [
      { type: "tmpfs", target: "/tmp", tmpfs: { size: 32 * 1024 * 1024 } },
      ...(gateway.cache === undefined
        ? []
        : [{ type: "volume", source: CACHE_VOLUME, target: CACHE_FOLDER } as const]),
    ],
    configs: [
      { source: "gateway", target: "/etc/nginx/nginx.conf" },
      ...(hasRules(config) ? [{ source: "gateway-access", target: SCRIPT_PATH }] : []),
      ...(config.metrics.enabled ? [metricsScriptMount()] : []),
    ],
    secrets: [secretMount("gateway", "gateway", UNPRIVILEGED)],
    read_only: true,
    cap_drop: ["ALL"],
    healthcheck: healthcheck(config, `http://127.0.0.1:${GATEWAY_PORT}/healthz`),
    stop_signal: "SIGQUIT",
    stop_grace_period: stopGracePeriod(behindTraefik),
    logging: logging(),
    deploy: deploy(config, {
      ...gateway,
      placement: {
        ...gateway.placement,
        constraints: publicConstraints(config, gateway.placement.constraints),
      },
      startFirst: behindTraefik,
      ...(behindTraefik ? { labels: traefikLabels(config, route) } : {}),
    }),
  };
}
