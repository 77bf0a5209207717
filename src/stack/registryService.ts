import type { Config } from "../config/resolve.js";
import { HTPASSWD, HTTP_SECRET } from "../credentials/secretKinds.js";
import type { Service } from "./composeModel.js";
import { secretMount } from "./secretMounts.js";
import { deploy, fitsBeside, healthcheck, logging, stopGracePeriod, storageCheck } from "./service.js";
import { type StorageParts, storageParts } from "./storageParts.js";

export const REGISTRY_PORT = 5000;

/** Where each line of the registry looks for its config, in the image. Source: distribution's Dockerfiles. */
export const CONFIG_PATHS = {
  2: "/etc/docker/registry/config.yml",
  3: "/etc/distribution/config.yml",
} as const;

/**
 * The registry's name for the other services of the stack. On Traefik's network the short name `registry` is an alias of
 * the gateway, and any stack may carry it too. The full service name is unique in a Swarm.
 */
export const registryAddress = (config: Config): string => `${config.stack}_registry:${REGISTRY_PORT}`;

export const readerAddress = (config: Config): string => `${config.stack}_reader:${REGISTRY_PORT}`;

/**
 * The same with the addresses of all tasks, whatever the endpoint mode. Source: Docker docs, "Swarm service discovery": the name
 * tasks.<service>.
 */
export const tasksOf = (address: string): string => `tasks.${address}`;

/**
 * Seconds since the epoch until which the registry refuses writes: a garbage collection puts it into the running
 * service's environment. It is a lease: a registry whose collector died takes writes again by itself.
 */
export const READONLY_VARIABLE = "HEPHAESTUS_READONLY_UNTIL";

/** A blob that no registry has. The reader reads one small object of the bucket to find that out. */
const NO_BLOB = `/v2/hephaestus-probe/blobs/sha256:${"0".repeat(64)}`;

/** Prints "ci 20270301" for a line of the htpasswd that says so; see credentials/htpasswd.ts. Nothing else can get into the config. */
const END_LINE = "s/^# until \\([A-Za-z0-9][A-Za-z0-9._@-]*\\) \\([0-9]\\{8\\}\\)$/\\1 \\2/p";

/** How the registry starts; `$` is the shell's. */
function startScript(configPath: string): string {
  return [
    "umask 077",
    // Users that end, for the gateway, which asks with every check. http.headers is the last part of the config.
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
export function registryService(config: Config): Service {
  const { registry } = config;
  const configPath = CONFIG_PATHS[registry.version];
  const storage = storageParts(config, false);
  return {
    ...commonParts(config, storage),
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

/**
 * The service `reader`: the same registry on the same storage, mounted read-only, in read-only mode, without
 * authentication, on the stack's own network alone. The registry pays bcrypt for every request that carries a
 * password; what only reads comes here and pays nothing.
 */
export function readerService(config: Config): Service {
  const configPath = CONFIG_PATHS[config.registry.version];
  const storage = storageParts(config, true);
  return {
    ...commonParts(config, storage),
    entrypoint: ["registry", "serve", configPath],
    networks: [config.networks.internal],
    configs: [{ source: "reader", target: configPath }],
    ...(storage.secrets.length > 0 ? bucketParts(config, storage) : { volumes: storage.volumes }),
  };
}

/** A reader that cannot read its bucket never counts as running, so a deploy with wrong keys breaks no pull. */
const bucketParts = (config: Config, { secrets }: StorageParts) => ({
  secrets,
  volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 1024 * 1024 } } as const],
  healthcheck: storageCheck(
    config,
    `http://127.0.0.1:${REGISTRY_PORT}/`,
    `http://127.0.0.1:${REGISTRY_PORT}${NO_BLOB}`,
  ),
});

function commonParts(config: Config, storage: StorageParts) {
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
