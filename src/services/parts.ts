import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import type { Amounts, Deploy, Healthcheck, Service } from "./composeModel.js";

/** What every service of the stack has alike. */

export const logging = (): Service["logging"] => ({
  driver: "json-file",
  options: { "max-size": "10m", "max-file": "3" },
});

/** Who services run as that need no account of their own in the image. */
export const UNPRIVILEGED = "65532:65532";

/** Open files that an nginx may have: Docker Engine 29 gives a container 1024, fewer than its connections. */
export const OPEN_FILES = 8192;

export const openFiles = (): NonNullable<Service["ulimits"]> => ({
  nofile: { soft: OPEN_FILES, hard: OPEN_FILES },
});

/**
 * Processes and threads of a task. Go starts a thread for each file operation that waits, so this is far
 * above what is usual.
 */
export const MOST_PROCESSES = 4096;

/**
 * In the start period Docker Engine 25 and newer probe at this pace, whatever the interval is. Source: moby,
 * daemon/health.go.
 */
const START_INTERVAL_SECONDS = 5;

/** A new task has so long at least to answer for the first time, on a slow disk or a busy node. */
const START_SECONDS = 30;

/**
 * When a task is probed. A short interval needs more failures in its place of a start period, so that no task
 * is given up sooner.
 */
function probing({ swarm }: Config) {
  const interval = secondsOf(swarm.probe);
  return {
    interval: swarm.probe,
    timeout: "5s",
    ...(interval < START_INTERVAL_SECONDS
      ? { retries: Math.ceil(START_SECONDS / interval) }
      : { retries: 3, start_period: `${START_SECONDS - 2 * START_INTERVAL_SECONDS}s` }),
  };
}

/**
 * How long the Swarm needs to give a service new tasks, one after the other: each is started, probed, and
 * then watched.
 *
 * @param replicas tasks of the service
 * @returns seconds, without what runs on the old tasks
 */
export const rollSeconds = ({ swarm }: Pick<Config, "swarm">, replicas: number): number =>
  60 + replicas * (50 + secondsOf(swarm.probe) + secondsOf(swarm.monitor));

/**
 * A probe with busybox's wget, which all three images have. A task counts as running only when it answers.
 */
export const healthcheck = (config: Config, url: string): Healthcheck => ({
  test: ["CMD", "wget", "-q", "-O", "/dev/null", url],
  ...probing(config),
});

/**
 * A probe that passes once something was looked for and not found, so that what the service looks in answers;
 * then the plain one follows. The service can write to /tmp.
 *
 * @param absent what is not there
 */
export const storageCheck = (config: Config, url: string, absent: string): Healthcheck => ({
  test: [
    "CMD-SHELL",
    [
      `if [ -e /tmp/answers ]; then wget -q -O /dev/null ${url}`,
      `else wget -q -O /dev/null ${absent} 2>&1 | grep -q '404 Not Found' && touch /tmp/answers; fi`,
    ].join("; "),
  ],
  ...probing(config),
});

/**
 * Seconds for which a task that is replaced may finish what it does: a layer on its way over a slow line. A
 * new task serves meanwhile; where that cannot be, everybody would wait for it, so it is short.
 */
export const drainSeconds = (startFirst: boolean): number => (startFirst ? 900 : 50);

/** Some more than it takes to drain; then the engine kills. */
export const stopGracePeriod = (startFirst: boolean): string => `${drainSeconds(startFirst) + 10}s`;

/** Whether a new task can run beside the old one: not where a node takes only so many. */
export const fitsBeside = ({ maxReplicasPerNode }: Rollout["placement"]): boolean => !maxReplicasPerNode;

export interface Rollout {
  replicas: number;
  resources: Config["gateway"]["resources"];
  placement: {
    constraints: readonly string[];
    spread?: readonly string[];
    maxReplicasPerNode?: number | undefined;
  };
  /** False where the new task cannot run beside the old one: a port of the node, or a full node. */
  startFirst: boolean;
  labels?: Record<string, string>;
}

/**
 * The `deploy` part: a broken update goes back by itself, and the old task serves until the new one is
 * healthy.
 */
export function deploy(config: Config, rollout: Rollout): Deploy {
  const order = rollout.startFirst && fitsBeside(rollout.placement) ? "start-first" : "stop-first";
  const { constraints, spread = [], maxReplicasPerNode } = rollout.placement;
  const reservations = amounts(rollout.resources.reservations);
  const placement = {
    ...(constraints.length > 0 ? { constraints: [...constraints] } : {}),
    ...(spread.length > 0 ? { preferences: spread.map((label) => ({ spread: label })) } : {}),
    ...(maxReplicasPerNode === undefined ? {} : { max_replicas_per_node: maxReplicasPerNode }),
  };
  return {
    replicas: rollout.replicas,
    endpoint_mode: config.swarm.endpointMode,
    ...(Object.keys(placement).length > 0 ? { placement } : {}),
    resources: {
      limits: { ...amounts(rollout.resources.limits), pids: MOST_PROCESSES },
      ...(Object.keys(reservations).length > 0 ? { reservations } : {}),
    },
    restart_policy: { condition: "any", delay: "5s" },
    update_config: { parallelism: 1, order, failure_action: "rollback", monitor: config.swarm.monitor },
    rollback_config: { parallelism: 1, order, monitor: config.swarm.monitor },
    ...(rollout.labels ? { labels: rollout.labels } : {}),
  };
}

function amounts({ cpus, memory }: { cpus?: number | undefined; memory?: string | undefined }): Amounts {
  return {
    ...(cpus === undefined ? {} : { cpus: String(cpus) }),
    ...(memory === undefined ? {} : { memory }),
  };
}

/** The networks of a service that people reach from outside. */
export function publicNetworks(config: Config): string[] {
  return config.expose === "traefik"
    ? [config.networks.internal, config.traefik.network]
    : [config.networks.internal];
}

/**
 * The networks of a service that asks the gateway alone: without Traefik's network, the stack's own is all
 * there is.
 */
export const outerNetworks = ({ expose, networks, traefik }: Config): string[] =>
  expose === "traefik" ? [traefik.network] : [networks.internal];

/**
 * The nodes of a service that people reach from outside. Published ports are on the node of the storage, so
 * that their address is known; behind Traefik any node will do.
 *
 * @param own constraints from the config
 */
export const publicConstraints = (
  { expose, registry }: Config,
  own: readonly string[] = [],
): readonly string[] => (expose === "ports" && own.length === 0 ? registry.placement.constraints : own);
