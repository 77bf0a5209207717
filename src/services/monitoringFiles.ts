import { LEAST_FREE, RENEWAL_DAYS } from "../config/limits.js";
import { type Config, isVolume, publicUrls, storageFolder } from "../config/resolve.js";
import { fill } from "../render/fill.js";
import type { RenderedFile } from "../render/renderedFile.js";
import type { Templates } from "../render/templates.js";
import { METRICS_SERVICE, metricsAddress } from "./addresses.js";
import { countedServices } from "./metrics.js";

/** What Docker's DNS answers with the addresses of all tasks. */
const TASKS = /^tasks\./;

/**
 * What Prometheus and Grafana are to be given: jobs, alert rules and a dashboard. Each asks only for what the
 * config names an exporter for.
 *
 * @param header of a rendered file
 */
export function monitoringFiles(config: Config, templates: Templates, header: string): RenderedFile[] {
  const { nodeExporters, blackboxExporter, network } = config.metrics;
  const source = storageFolder(config);
  const folder = source !== undefined && isVolume(source) ? volumeFolder(source) : source;
  const disk = folder !== undefined && nodeExporters.length > 0;
  const probes = blackboxExporter === undefined ? [] : probed(config);
  const counted = countedServices(config);
  const services = counted.map((name) => ({
    name,
    replicas: name === "gateway" ? config.gateway.replicas : config.registry.replicas,
  }));
  const values = {
    header,
    stack: config.stack,
    network,
    address: metricsAddress(config),
    metricsService: METRICS_SERVICE,
    services,
    reader: counted.includes("reader"),
    names: counted.join(", ").replace(/, (?=\w+$)/, " and "),
    severalTasks: services.filter(({ replicas }) => replicas > 1),
    disk,
    folder,
    fileSystems: disk ? fileSystems(folder) : [],
    diskExporters: nodeExporters.filter((address) => !TASKS.test(address)),
    diskTasks: nodeExporters.filter((address) => TASKS.test(address)).map(nameAndPort),
    ...LEAST_FREE,
    probes,
    secure: probes.some((url) => url.startsWith("https:")),
    blackboxExporter,
    renewalDays: RENEWAL_DAYS,
  };
  return [
    { path: "monitoring/prometheus.yml", text: fill(templates.prometheus, values) },
    { path: "monitoring/alerts.yml", text: fill(templates.alerts, values) },
    { path: "monitoring/dashboard.json", text: fill(templates.dashboard, values) },
  ];
}

/**
 * Public addresses that answer 200 without a login. A UI behind Authelia sends to Authelia, whose certificate
 * is another one.
 */
function probed(config: Config): string[] {
  const { registry, ui } = publicUrls(config);
  return [`${registry}/healthz`, ...(ui !== undefined && config.ui.access === "public" ? [`${ui}/`] : [])];
}

/** Where an engine with its default folder has a volume. */
const volumeFolder = (name: string): string => `/var/lib/docker/volumes/${name}/_data`;

/** Where the file system of a folder may be mounted, the folder itself first: /mnt/storage, /mnt, /. */
function fileSystems(folder: string): { mountPoint: string }[] {
  const parts = folder.split("/").filter(Boolean);
  return [...parts.keys(), parts.length]
    .map((length) => ({ mountPoint: `/${parts.slice(0, length).join("/")}` }))
    .reverse();
}

function nameAndPort(address: string): { name: string; port: string } {
  const [name = "", port = ""] = address.split(":");
  return { name, port };
}
