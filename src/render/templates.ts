import { packageFile } from "../packageFiles.js";

/** Files that a person may read and change. */
const NAMES = {
  gateway: "gateway/nginx.conf",
  gatewayMetrics: "gateway/metrics.conf",
  registry: "registry/config.yml",
  reader: "registry/reader.yml",
  storage: "registry/storage.yml",
  registryUi: "registry-ui/methods.conf",
  notifier: "notifier/nginx.conf",
  notifierScript: "notifier/notify.js",
  authelia: "authelia/access_control.yml",
  ciActions: "ci/actions.yml",
  ciGitlab: "ci/gitlab.yml",
  ciWoodpecker: "ci/woodpecker.yml",
  ciWoodpeckerMaintain: "ci/woodpeckerMaintain.yml",
  metrics: "metrics/nginx.conf",
  metricsScript: "metrics/metrics.js",
  prometheus: "monitoring/prometheus.yml",
  alerts: "monitoring/alerts.yml",
  dashboard: "monitoring/dashboard.json",
  systemdService: "systemd/service",
  systemdTimer: "systemd/timer",
} as const;

export type TemplateName = keyof typeof NAMES;
export type Templates = Readonly<Record<TemplateName, string>>;

/** Reads the templates that ship with the package. */
export function loadTemplates(): Templates {
  return Object.fromEntries(
    Object.entries(NAMES).map(([name, path]) => [name, packageFile(`templates/${path}`)]),
  ) as Templates;
}

/** The script of a job, to be run by `sh -c`. */
export const loadJobScript = (name: "gc" | "gcBucket" | "tags"): string =>
  packageFile(`templates/jobs/${name}.sh`);
