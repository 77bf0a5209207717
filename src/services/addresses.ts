import type { Config } from "../config/resolve.js";

/**
 * Where the services of the stack find each other. A short name such as `registry` may be another stack's on
 * a network that is shared; the full name of a service is unique in a Swarm.
 */

export const GATEWAY_PORT = 5000;
export const REGISTRY_PORT = 5000;
export const NOTIFIER_PORT = 8080;

/**
 * The port of the metrics of registry, reader and gateway, and of the service that Prometheus asks. The
 * default of registry 3.
 */
export const METRICS_PORT = 5001;
export const METRICS_SERVICE = "registry-metrics";

type Named = Pick<Config, "stack">;

export const gatewayAddress = ({ stack }: Named): string => `${stack}_gateway:${GATEWAY_PORT}`;

export const registryAddress = ({ stack }: Named): string => `${stack}_registry:${REGISTRY_PORT}`;

export const readerAddress = ({ stack }: Named): string => `${stack}_reader:${REGISTRY_PORT}`;

export const metricsAddress = ({ stack }: Named): string => `${stack}_${METRICS_SERVICE}:${METRICS_PORT}`;

/** Where the registry sends its events: the address of a receiver in the notifier. */
export const notifierUrl = ({ stack }: Named, receiver: string): string =>
  `http://${stack}_notifier:${NOTIFIER_PORT}/${receiver}`;

/**
 * The gateway's address for services of other stacks: `registry:5000` on Traefik's network. Without Traefik
 * they are on the stack's own network, where `registry` is the registry itself.
 */
export const insideAddress = ({ expose }: Pick<Config, "expose">): string =>
  `${expose === "traefik" ? "registry" : "gateway"}:${GATEWAY_PORT}`;

/**
 * An address that resolves to all tasks of its service, whatever the endpoint mode. Source: Docker docs,
 * "Swarm service discovery": the name tasks.<service>.
 */
export const tasksAddress = (address: string): string => `tasks.${address}`;
