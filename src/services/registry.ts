import type { Config } from "../config/resolve.js";
import { HTPASSWD, HTTP_SECRET } from "../credentials/secretKinds.js";
import { fill } from "../render/fill.js";
import type { Templates } from "../render/templates.js";
import { METRICS_PORT, notifierUrl, REGISTRY_PORT } from "./addresses.js";
import type { Service } from "./composeModel.js";
import { deploy, drainSeconds, fitsBeside, healthcheck, logging, stopGracePeriod } from "./parts.js";
import { secretMount } from "./secretMounts.js";
import type { StackService } from "./stackService.js";
import { type StorageParts, storageParts } from "./storageParts.js";

/** Where each line of the registry looks for its config, in the image. Source: distribution's Dockerfiles. */
export const CONFIG_PATHS = {
  2: "/etc/docker/registry/config.yml",
  3: "/etc/distribution/config.yml",
} as const;

/**
 * Seconds since the epoch until which the registry refuses writes: a garbage collection puts it into the
 * running service's environment. It is a lease: a registry whose collector died takes writes again by itself.
 */
export const READONLY_VARIABLE = "HEPHAESTUS_READONLY_UNTIL";

/**
 * Prints "ci 20270301" for a line of the htpasswd that says so; see credentials/htpasswd.ts. Nothing else can
 * get into the config.
 */
const END_LINE = "s/^# until \\([A-Za-z0-9][A-Za-z0-9._@-]*\\) \\([0-9]\\{8\\}\\)$/\\1 \\2/p";

/** How the registry starts; `$` is the shell's. */
function startScript(configPath: string): string {
  return [
    "umask 077",
    // Users that end, for the gateway, which asks with every check. http.headers is the last part of the
    // config.
    `ends=$(sed -n '${END_LINE}' /run/secrets/${HTPASSWD} | tr '\\n' ',')`,
    // http.secret can come from a file only as part of the config, so it is put behind it.
    `{ cat ${configPath}; [ -z "$ends" ] || printf '    X-Account-Ends: [",%s"]\\n' "$ends"; cat /run/secrets/${HTTP_SECRET}; } > /tmp/config.yml`,
    `left=$((\${${READONLY_VARIABLE}:-0} - $(date +%s)))`,
    'if [ "$left" -le 0 ]; then exec registry serve /tmp/config.yml; fi',
    `export REGISTRY_STORAGE_MAINTENANCE_READONLY='{"enabled":true}'`,
    'exec timeout "$left" registry serve /tmp/config.yml',
  ].join("\n");
}

/** The service `registry`: it takes every write, and knows everybody's password. */
export const registry = (config: Config): StackService => ({
  service: service(config),
  files: ({ templates, header }) => ({
    registry: {
      path: "registry/config.yml",
      text: fill(templates.registry, {
        ...registryValues(config, templates, header),
        delete: config.registry.delete,
        realm: config.registry.host,
        receivers: config.notifications.map(({ name }) => ({ name, url: notifierUrl(config, name) })),
      }),
    },
  }),
});

/** What the configs of registry and reader have alike. */
export function registryValues(config: Config, templates: Templates, header: string) {
  const { storage } = config.registry;
  const s3 = storage.driver === "s3" && {
    ...storage,
    forcePathStyle: storage.forcePathStyle ?? storage.endpoint !== undefined,
    noRedirect: !storage.redirect,
  };
  return {
    header,
    storage: fill(templates.storage, { s3 }).trimEnd(),
    port: REGISTRY_PORT,
    drain: drainSeconds(fitsBeside(config.registry.placement)),
    metricsPort: config.metrics.enabled && METRICS_PORT,
  };
}

function service(config: Config): Service {
  const { registry } = config;
  const configPath = CONFIG_PATHS[registry.version];
  const storage = storageParts(config, false);
  return {
    ...registryParts(config, storage),
    entrypoint: ["/bin/sh", "-ec", startScript(configPath)],
    networks: [config.networks.internal],
    volumes: [...storage.volumes, { type: "tmpfs", target: "/tmp", tmpfs: { size: 16 * 1024 * 1024 } }],
    configs: [{ source: "registry", target: configPath }],
    secrets: [
      secretMount(HTPASSWD, HTPASSWD, registry.user),
      secretMount(HTTP_SECRET, HTTP_SECRET, registry.user),
      ...storage.secrets,
    ],
  };
}

/** What registry and reader have alike. */
export function registryParts(config: Config, storage: StorageParts) {
  const { registry } = config;
  const environment = {
    // The image of line 3 exports traces unless told otherwise.
    ...(registry.version === 3 ? { OTEL_TRACES_EXPORTER: "none" } : {}),
    ...storage.environment,
    ...registry.env,
  };
  return {
    image: registry.image,
    user: registry.user,
    ...(Object.keys(environment).length > 0 ? { environment } : {}),
    read_only: true,
    cap_drop: ["ALL"],
    healthcheck: healthcheck(config, `http://127.0.0.1:${REGISTRY_PORT}/`),
    stop_grace_period: stopGracePeriod(fitsBeside(registry.placement)),
    logging: logging(),
    deploy: deploy(config, { ...registry, startFirst: true }),
  } satisfies Partial<Service>;
}
