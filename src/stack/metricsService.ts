import { type Config, metricsNetwork } from "../config/resolve.js";
import type { ConfigMount, Service } from "./composeModel.js";
import { nginxService } from "./nginxService.js";

export const METRICS_SERVICE = "registry-metrics";

/** The port of the metrics: of registry, reader and gateway, and of the service that Prometheus asks. The default of registry 3. */
export const METRICS_PORT = 5001;

/** For the healthcheck alone, on the loopback interface. */
export const METRICS_HEALTH_PORT = 5002;

/** The services that have metrics. */
export const COUNTED_SERVICES = ["registry", "reader", "gateway"] as const;

/** Where Prometheus finds the metrics. The full service name is unique in a Swarm. */
export const metricsAddress = (config: Config): string =>
  `${config.stack}_${METRICS_SERVICE}:${METRICS_PORT}`;

/** Where nginx finds the script that counts the gateway's requests and lists the tasks. */
export const METRICS_SCRIPT_PATH = "/etc/nginx/metrics.js";

export const metricsScriptMount = (): ConfigMount => ({
  source: `${METRICS_SERVICE}-script`,
  target: METRICS_SCRIPT_PATH,
});

/**
 * The service `registry-metrics`: stock nginx between the network of Prometheus and that of the stack. It lists the tasks, and
 * forwards requests for the metrics of one task, and nothing else.
 */
export function metricsService(config: Config): Service {
  return nginxService(config, {
    networks: [config.networks.internal, metricsNetwork(config) ?? []].flat(),
    configs: [{ source: METRICS_SERVICE, target: "/etc/nginx/nginx.conf" }, metricsScriptMount()],
    health: `http://127.0.0.1:${METRICS_HEALTH_PORT}/`,
    resources: config.metrics.resources,
    // A Traefik on Prometheus's network may take every service there unless told otherwise.
    ...(config.expose === "traefik" ? { labels: { "traefik.enable": "false" } } : {}),
  });
}
