import { type Config, metricsNetwork, readsFiles } from "../config/resolve.js";
import { fill } from "../render/fill.js";
import type { Templates } from "../render/templates.js";
import { METRICS_PORT, METRICS_SERVICE, metricsAddress, tasksAddress } from "./addresses.js";
import type { ConfigMount, Service } from "./composeModel.js";
import { nginxService } from "./nginx.js";
import type { StackService, Texts } from "./stackService.js";

/** For the healthcheck alone, on the loopback interface. */
const METRICS_HEALTH_PORT = 5002;

/** The services that have metrics. */
export const countedServices = (config: Config): ("registry" | "reader" | "gateway")[] =>
  readsFiles(config) ? ["registry", "gateway"] : ["registry", "reader", "gateway"];

/** Where nginx finds the script that counts the gateway's requests and lists the tasks. */
export const METRICS_SCRIPT_PATH = "/etc/nginx/metrics.js";

const SCRIPT = `${METRICS_SERVICE}-script`;

export const metricsScriptMount = (): ConfigMount => ({
  source: SCRIPT,
  target: METRICS_SCRIPT_PATH,
});

/**
 * The service `registry-metrics`: stock nginx between the network of Prometheus and that of the stack. It
 * lists the tasks, and forwards requests for the metrics of one task, and nothing else.
 */
export function metrics(config: Config): StackService | undefined {
  if (!config.metrics.enabled) return undefined;
  return { service: service(config), files: (texts) => files(config, texts) };
}

const service = (config: Config): Service =>
  nginxService(config, {
    networks: [config.networks.internal, metricsNetwork(config) ?? []].flat(),
    configs: [{ source: METRICS_SERVICE, target: "/etc/nginx/nginx.conf" }, metricsScriptMount()],
    health: `http://127.0.0.1:${METRICS_HEALTH_PORT}/`,
    resources: config.metrics.resources,
    // A Traefik on Prometheus's network may take every service there unless told otherwise.
    ...(config.expose === "traefik" ? { labels: { "traefik.enable": "false" } } : {}),
  });

function files(config: Config, { templates, header }: Texts) {
  const services = countedServices(config);
  return {
    [METRICS_SERVICE]: {
      path: `${METRICS_SERVICE}/nginx.conf`,
      text: fill(templates.metrics, {
        header,
        stack: config.stack,
        services: services.join("|"),
        metricsPort: METRICS_PORT,
        healthPort: METRICS_HEALTH_PORT,
        metricsScriptPath: METRICS_SCRIPT_PATH,
      }),
    },
    [SCRIPT]: {
      path: `${METRICS_SERVICE}/metrics.js`,
      text: fill(templates.metricsScript, {
        header,
        services: services.map((name) => `'${name}'`).join(", "),
        port: METRICS_PORT,
      }),
    },
  };
}

/** The gateway's server that shows what it counts; undefined where it counts nothing. */
export const gatewayMetrics = (config: Config, templates: Templates): string | undefined =>
  config.metrics.enabled
    ? fill(templates.gatewayMetrics, {
        metricsPort: METRICS_PORT,
        metricsService: METRICS_SERVICE,
        metricsTasks: tasksAddress(metricsAddress(config)),
      }).trimEnd()
    : undefined;
