import type { Config } from "../config/resolve.js";
import { SECRET_KINDS, type SecretKind } from "../credentials/secretKinds.js";
import type { ComposeFile, FileConfig, Network, Service } from "./composeModel.js";
import { contentName } from "./contentName.js";
import { externalNetworks } from "./externalNetworks.js";
import { CACHE_VOLUME, gatewayService } from "./gatewayService.js";
import { registryAdminService, registryUiService } from "./libraryService.js";
import { METRICS_SERVICE, metricsService } from "./metricsService.js";
import { mirrorService } from "./mirrorService.js";
import { hasMirror, usedImage } from "./mirrorSources.js";
import { hasNotifications, notifierService } from "./notifierService.js";
import { withOwner } from "./owner.js";
import { readerService, registryService } from "./registryService.js";
import { externalSecret } from "./secretMounts.js";
import { type Router, routersIn } from "./traefikLabels.js";

/** The files that become Swarm configs, each with the digest of its content. */
export type ConfigFiles = Readonly<
  Partial<
    Record<
      | "registry"
      | "reader"
      | "gateway"
      | "gateway-access"
      | "registry-ui"
      | "registry-admin"
      | "mirror"
      | "notifier"
      | "notifier-script"
      | "registry-metrics"
      | "registry-metrics-script",
      { path: string; digest: string }
    >
  >
>;

function servicesOf(config: Config): Record<string, Service> {
  const services: Record<string, Service> = {
    registry: registryService(config),
    reader: readerService(config),
    gateway: gatewayService(config),
    ...(config.ui.enabled ? { "registry-ui": registryUiService(config) } : {}),
    ...(config.ui.admin.enabled ? { "registry-admin": registryAdminService(config) } : {}),
    ...(hasMirror(config) ? { mirror: mirrorService(config) } : {}),
    ...(hasNotifications(config) ? { notifier: notifierService(config) } : {}),
    ...(config.metrics.enabled ? { [METRICS_SERVICE]: metricsService(config) } : {}),
  };
  for (const service of Object.values(services)) service.image = usedImage(config, service.image);
  return services;
}

/** Names of the services that the stack has, without the stack's own name. */
export const serviceNames = (config: Config): string[] => Object.keys(servicesOf(config));

/** The images of the stack, each once. */
export const stackImages = (config: Config): string[] => [
  ...new Set(Object.values(servicesOf(config)).map(({ image }) => image)),
];

/** The kinds of secrets that each service has. */
export const secretsOf = (config: Config): Record<string, SecretKind[]> =>
  Object.fromEntries(
    Object.entries(servicesOf(config)).map(([name, { secrets = [] }]) => [
      name,
      secrets.map(({ source }) => source as SecretKind),
    ]),
  );

/** The routers that the stack asks Traefik for; none where it is not behind one. */
export const routersOf = (config: Config): Router[] =>
  Object.values(servicesOf(config)).flatMap(({ deploy }) => routersIn(deploy.labels ?? {}));

/** Name of an overlay's option for its MTU. Source: docker network create, bridge and overlay options. */
export const MTU_OPTION = "com.docker.network.driver.mtu";

/** Options of the stack's own network, as Docker's overlay driver knows them. */
export function internalNetworkOptions({ networks }: Config): Record<string, string> {
  return {
    ...(networks.encrypted ? { encrypted: "true" } : {}),
    ...(networks.mtu === undefined ? {} : { [MTU_OPTION]: String(networks.mtu) }),
  };
}

function internalNetwork(config: Config): Network {
  const options = internalNetworkOptions(config);
  return { driver: "overlay", ...(Object.keys(options).length > 0 ? { driver_opts: options } : {}) };
}

/**
 * The whole stack as a compose model. Pure: the same config and files give the same model.
 *
 * @param config a checked config
 * @param files paths, relative to the compose file, and content digests of the config files
 */
export function stackModel(config: Config, files: ConfigFiles): ComposeFile {
  const services = servicesOf(config);
  const { stack, networks } = config;
  const mounted = Object.values(services);
  const configNames = new Set(mounted.flatMap(({ configs = [] }) => configs.map(({ source }) => source)));
  const secretNames = new Set(mounted.flatMap(({ secrets = [] }) => secrets.map(({ source }) => source)));
  return withOwner(stack, {
    version: "3.9",
    services,
    networks: {
      [networks.internal]: internalNetwork(config),
      ...Object.fromEntries(
        externalNetworks(config).map(({ name }) => [name, { external: true, name } as const]),
      ),
    },
    configs: Object.fromEntries(
      Object.entries(files)
        .filter(([name]) => configNames.has(name))
        .map(([name, { path, digest }]): [string, FileConfig] => [
          name,
          { file: `./${path}`, name: contentName(stack, name, digest) },
        ]),
    ),
    ...(config.gateway.cache === undefined
      ? {}
      : { volumes: { [CACHE_VOLUME]: { name: `${stack}_${CACHE_VOLUME}` } } }),
    secrets: Object.fromEntries(
      SECRET_KINDS.filter((name) => secretNames.has(name)).map((name) => [name, externalSecret(stack, name)]),
    ),
  });
}
