import { isDeepStrictEqual } from "node:util";
import type { ParsedConfig } from "./schema/index.js";

/** The config with everything decided: what the rooms below work with. */
export type Config = Omit<ParsedConfig, "registry" | "ui" | "traefik" | "authelia"> & {
  registry: Omit<ParsedConfig["registry"], "host" | "version"> & { host: string; version: 2 | 3 };
  ui: Omit<ParsedConfig["ui"], "host" | "admin"> & {
    host: string;
    admin: { enabled: boolean; host: string };
  };
  traefik: Omit<ParsedConfig["traefik"], "entrypoint"> & { entrypoint: string };
  authelia: { middleware: string; url: string };
};

/** The line (2 or 3) that an image's tag begins with, or undefined. */
export function registryLine(image: string): 2 | 3 | undefined {
  const tag = /:([\w][\w.-]*)(?:@|$)/.exec(image.replace(/^.*\//, ""))?.[1];
  const line = /^v?([23])(?:\.|-|$)/.exec(tag ?? "")?.[1];
  return line === "2" ? 2 : line === "3" ? 3 : undefined;
}

/** Negative where the first version is older. By numbers: 2.10.0 comes after 2.9.0. */
export const compareVersions = (a: string, b: string): number => a.localeCompare(b, "en", { numeric: true });

/**
 * Fills in the defaults that depend on other values.
 *
 * @param parsed a config that passed the schema and the rules of rules.ts
 */
export function resolve(parsed: ParsedConfig): Config {
  const behindTraefik = parsed.expose === "traefik";
  return {
    ...parsed,
    registry: {
      ...parsed.registry,
      host: parsed.registry.host ?? (behindTraefik ? `registry.${parsed.domain}` : parsed.domain),
      version: parsed.registry.version ?? registryLine(parsed.registry.image) ?? 2,
    },
    ui: {
      ...parsed.ui,
      host: parsed.ui.host ?? (behindTraefik ? `registry-ui.${parsed.domain}` : parsed.domain),
      admin: { ...parsed.ui.admin, host: parsed.ui.admin.host ?? `registry-admin.${parsed.domain}` },
    },
    traefik: {
      ...parsed.traefik,
      entrypoint: parsed.traefik.entrypoint ?? (parsed.traefik.tls ? "websecure" : "web"),
    },
    authelia: {
      ...parsed.authelia,
      middleware:
        parsed.authelia.middleware ?? (parsed.traefik.version === 2 ? "authelia@docker" : "authelia@swarm"),
    },
  };
}

const DEFAULT_FOLDER = "/mnt/storage/registry";

/**
 * The folder that holds the images on a node, or the name of the volume that does; undefined where they are in
 * a bucket.
 */
export const storageFolder = ({ registry: { storage } }: Pick<Config, "registry">): string | undefined =>
  storage.driver === "filesystem" ? (storage.volume ?? storage.path ?? DEFAULT_FOLDER) : undefined;

/** Whether what is mounted is a volume by its name, and no folder by its path. */
export const isVolume = (source: string): boolean => !source.startsWith("/");

/** A folder or a volume, for messages. */
export const folderPlace = (source: string): string => (isVolume(source) ? `the volume ${source}` : source);

/** The arguments by which ops-scripts/setup_host.sh knows a folder or a volume. */
export const setupArguments = (source: string): [string, string] => [
  isVolume(source) ? "--volume" : "--path",
  source,
];

/**
 * Whether the gateway reads manifests and layers from the files of the registry, which needs no reader then:
 * if they are in a folder, and nothing asks for gateways on other nodes than those of the folder.
 */
export function readsFiles(config: Pick<Config, "registry" | "gateway">): boolean {
  const { cache, placement } = config.gateway;
  const isWithRegistry =
    placement.constraints.length === 0 ||
    isDeepStrictEqual(placement.constraints, config.registry.placement.constraints);
  const isOnSeveral = placement.spread.length > 0 || placement.maxReplicasPerNode !== undefined;
  return storageFolder(config) !== undefined && cache === undefined && isWithRegistry && !isOnSeveral;
}

/** Whether tasks on any node see the same images. */
export const isSharedStorage = ({ registry: { storage } }: Pick<Config, "registry">): boolean =>
  storage.driver === "s3" || storage.shared;

/** Where the images are, for messages: a folder, a volume, or s3://bucket/prefix. */
export const storagePlace = ({ registry }: Pick<Config, "registry">): string =>
  registry.storage.driver === "filesystem"
    ? folderPlace(storageFolder({ registry }) ?? "")
    : bucketPlace(registry.storage);

const bucketPlace = (storage: { bucket: string; prefix?: string | undefined }): string =>
  `s3://${storage.bucket}${storage.prefix === undefined ? "" : `/${storage.prefix}`}`;

/** The network that the metrics can be read from; undefined where nobody can read them. */
export const metricsNetwork = ({ metrics }: Pick<Config, "metrics">): string | undefined =>
  metrics.enabled ? metrics.network : undefined;

/** Port that https addresses leave out. */
const HTTPS_PORT = 443;

/**
 * Where people reach the registry and the library. Behind Traefik that is https in any case: without TLS at
 * Traefik it ends before it, and a registry on plain HTTP is one that no client trusts.
 */
export function publicUrls(config: Config): {
  registry: string;
  ui: string | undefined;
  admin: string | undefined;
} {
  const { publicPort } = config.traefik;
  const secure = (host: string) => `https://${host}${publicPort === HTTPS_PORT ? "" : `:${publicPort}`}`;
  const url = (host: string, port: number) =>
    config.expose === "traefik" ? secure(host) : `http://${host}:${port}`;
  return {
    registry: url(config.registry.host, config.ports.registry),
    ui: config.ui.enabled ? url(config.ui.host, config.ports.ui) : undefined,
    admin: config.ui.admin.enabled ? secure(config.ui.admin.host) : undefined,
  };
}
