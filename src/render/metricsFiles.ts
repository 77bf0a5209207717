import type { Config } from "../config/resolve.js";
import {
  COUNTED_SERVICES,
  METRICS_HEALTH_PORT,
  METRICS_PORT,
  METRICS_SCRIPT_PATH,
  METRICS_SERVICE,
  metricsAddress,
} from "../stack/metricsService.js";
import { tasksOf } from "../stack/registryService.js";
import { fill } from "./fill.js";
import type { RenderedFile } from "./renderedFiles.js";
import type { Templates } from "./templates.js";

/**
 * The files of the service registry-metrics, and the part of the gateway's config that counts.
 *
 * @param header of a rendered file
 */
export function metricsFiles(
  config: Config,
  templates: Templates,
  header: string,
): { config: RenderedFile; script: RenderedFile } {
  return {
    config: {
      path: `${METRICS_SERVICE}/nginx.conf`,
      text: fill(templates.metrics, {
        header,
        stack: config.stack,
        services: COUNTED_SERVICES.join("|"),
        metricsPort: METRICS_PORT,
        healthPort: METRICS_HEALTH_PORT,
        metricsScriptPath: METRICS_SCRIPT_PATH,
      }),
    },
    script: {
      path: `${METRICS_SERVICE}/metrics.js`,
      text: fill(templates.metricsScript, {
        header,
        services: COUNTED_SERVICES.map((name) => `'${name}'`).join(", "),
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
        metricsTasks: tasksOf(metricsAddress(config)),
      }).trimEnd()
    : undefined;
