import { hasRules, repositoryRules } from "../access/repositoryRules.js";
import { type Config, publicUrls, readsFiles } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { fill } from "../render/fill.js";
import { GATEWAY_PORT, insideAddress, readerAddress, registryAddress, tasksAddress } from "./addresses.js";
import { MANIFEST_TYPES, REGISTRY_FOLDER } from "./gateway/program/registryFiles.js";
import type { Settings } from "./gateway/program/settings.js";
import { answerLimits, CHECK_LIMITS, keptContexts, TURNS, WORKERS } from "./gatewayLimits.js";
import { gatewayMetrics, METRICS_SCRIPT_PATH } from "./metrics.js";
import { hasMirror, mirrorTargets } from "./mirrorSources.js";
import { hasNotifications } from "./notifier.js";
import { OPEN_FILES, UNPRIVILEGED } from "./parts.js";
import type { Texts } from "./stackService.js";
import { STORAGE } from "./storageParts.js";

/**
 * Docker's client takes fewer seconds for 60, and sends no other token when one is refused. Source:
 * distribution, internal/client/auth/session.go.
 */
const TOKEN_SECONDS = 60;

/**
 * A world-writable folder of the image. A new volume gets the content and the mode of the folder that it
 * covers.
 */
export const CACHE_FOLDER = "/var/tmp";

/** What nginx reads: connections, and the places that the program chooses between. */
export function gatewayConfig(config: Config, { templates, header }: Texts): string {
  const isBehindTraefik = config.expose === "traefik";
  return fill(templates.gateway, {
    header,
    delete: config.registry.delete,
    ...files(config),
    readerAddress: tasksAddress(readerAddress(config)),
    registryAddress: tasksAddress(registryAddress(config)),
    severalTasks: config.registry.replicas > 1,
    // What the registry is asked for, so that it gives each manifest as it is.
    manifestTypes: [...MANIFEST_TYPES.keys()].join(", "),
    rules: hasRules(config),
    guarded: config.access.some(({ immutable }) => immutable.length > 0),
    authelia: config.users.provider !== "htpasswd" && autheliaAddress(config),
    port: GATEWAY_PORT,
    jsonLog: config.gateway.log === "json",
    metrics: gatewayMetrics(config, templates),
    metricsScriptPath: METRICS_SCRIPT_PATH,
    cacheFolder: CACHE_FOLDER,
    cache: config.gateway.cache && nginxSize(config.gateway.cache),
    ...TURNS,
    ...answerLimits(config),
    workers: WORKERS,
    keptContexts: keptContexts(config),
    openFiles: OPEN_FILES,
    trustedNetworks: isBehindTraefik ? config.traefik.trustedNetworks : [],
    proxies: isBehindTraefik ? config.traefik.proxies : [],
    notified: hasNotifications(config),
  });
}

/** If the gateway reads the files of the registry: where they are, and whether they belong to root. */
function files(config: Config) {
  const storage = readsFiles(config);
  return {
    storage,
    blobs: `${STORAGE}/${REGISTRY_FOLDER}/blobs/sha256`,
    runsAsRoot: gatewayUser(config).startsWith("0:"),
    remembersDigests: !config.registry.delete && !storage,
  };
}

/** Who the gateway runs as: nobody but the registry's user may read its files. */
export const gatewayUser = (config: Config): string =>
  readsFiles(config) ? config.registry.user : UNPRIVILEGED;

/** What the gateway's program reads: who may do what, and where clients are sent. */
export function gatewaySettings(config: Config): string {
  const { registry, ui } = publicUrls(config);
  const [scheme = "", authority = ""] = registry.split("://");
  const settings: Settings = {
    rules: repositoryRules(config),
    delete: config.registry.delete,
    provider: config.users.provider,
    mirrored: mirrorTargets(config),
    // The public address, or inside the Swarm the one that was asked.
    address: {
      scheme,
      authority,
      ...(config.expose === "ports" && !hasMirror(config) ? {} : { inside: insideAddress(config) }),
    },
    ...(ui === undefined ? {} : { ui: `${ui}/` }),
    ...(readsFiles(config) ? { storage: STORAGE } : {}),
    limits: { ...CHECK_LIMITS, remember: secondsOf(config.gateway.remember) },
    tokenSeconds: TOKEN_SECONDS,
    unread: answerLimits(config).answersOfNetwork,
    namesActions: config.gateway.log === "json" || config.metrics.enabled,
  };
  return `${JSON.stringify(settings, undefined, 2)}\n`;
}

function autheliaAddress(config: Config) {
  const { protocol, host, pathname } = new URL(config.authelia.url);
  return {
    scheme: protocol.replace(":", ""),
    host,
    path: pathname.replace(/\/$/, ""),
    judged: config.registry.host,
  };
}

/** 10G as nginx writes it. */
const nginxSize = (size: string): string => size.replace(/[bB]$/, "").toLowerCase();
