import { globPattern } from "../access/glob.js";
import { isAnyPublic, repositoryRules, TEMPORARY_USER } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { fill } from "../render/fill.js";
import type { Templates } from "../render/templates.js";
import { ACTION_PATTERNS, REPOSITORY_PATTERN } from "./accessActions.js";
import { accessValues, grantMark, hasRules } from "./accessMaps.js";
import { GATEWAY_PORT, insideAddress, readerAddress, registryAddress, tasksAddress } from "./addresses.js";
import { answerLimits, CHECK_LIMITS } from "./gatewayLimits.js";
import { gatewayMetrics, METRICS_SCRIPT_PATH } from "./metrics.js";
import { hasMirror, mirrorTargets } from "./mirrorSources.js";
import { hasNotifications } from "./notifier.js";
import { OPEN_FILES } from "./parts.js";
import type { Texts } from "./stackService.js";

/** What the registry is asked for, so that it gives each manifest as it is. */
const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
].join(", ");

/** Names on a page of the catalog: where a client does not say, and at most. Source: distribution's configuration.md. */
const CATALOG_PAGE = 100;
const CATALOG_MOST = 1000;

/** Where the first day that differs is later: two dates of digits, with a space between them, behind what they share. */
const LATER_DAY = Array.from({ length: 9 }, (_, digit) => `${digit}[0-9]* \\1[${digit + 1}-9]`).join("|");

/** Where nginx finds the script that judges what maps cannot. */
export const SCRIPT_PATH = "/etc/nginx/access.js";

/** A world-writable folder of the image. A new volume gets the content and the mode of the folder that it covers. */
export const CACHE_FOLDER = "/var/tmp";

/** What nginx reads, and with rules the script that it runs. */
export function gatewayConfig(
  config: Config,
  { templates, header, source }: Texts,
): { text: string; script: string | undefined } {
  const urls = publicUrls(config);
  const access = accessValues(config);
  const scripted = hasRules(config);
  const proxies = config.expose === "traefik" ? config.traefik.proxies : [];
  const shared = {
    delete: config.registry.delete,
    admin: config.ui.admin.enabled,
    // The server of this name in the config, which asks the tasks.
    registryAddress: "registry",
    readerAddress: tasksAddress(readerAddress(config)),
    scripted,
    judged: scripted || config.ui.admin.enabled || hasMirror(config),
    scriptPath: SCRIPT_PATH,
    manifestTypes: MANIFEST_TYPES,
    guardsDeletes: config.registry.delete && access.immutable.length > 0,
    immutable: access.immutable,
    groups: config.users.provider !== "htpasswd",
  };
  const text = fill(templates.gateway, {
    ...shared,
    header,
    registryTasks: tasksAddress(registryAddress(config)),
    severalTasks: config.registry.replicas > 1,
    access: fill(templates.gatewayAccess, {
      ...shared,
      ...access,
      mirrorTargets: mirrorTargets(config).map(globPattern),
      source,
      temporaryUser: globPattern(TEMPORARY_USER),
    }).trimEnd(),
    guard: fill(templates.gatewayGuard, shared).trimEnd(),
    checks: fill(templates.gatewayChecks, {
      ...shared,
      ...CHECK_LIMITS,
      users: shared.groups ? usersText(config, templates, shared.registryAddress) : "",
    }).trimEnd(),
    laterDay: LATER_DAY,
    anonymous: access.lowest === "*",
    port: GATEWAY_PORT,
    jsonLog: config.gateway.log === "json",
    namesActions: config.gateway.log === "json" || config.metrics.enabled,
    javascript: scripted || config.metrics.enabled,
    metrics: gatewayMetrics(config, templates),
    metricsScriptPath: METRICS_SCRIPT_PATH,
    actionPatterns: ACTION_PATTERNS,
    repositoryPattern: REPOSITORY_PATTERN,
    cacheFolder: CACHE_FOLDER,
    cache: config.gateway.cache && nginxSize(config.gateway.cache),
    checkSeconds: secondsOf(config.gateway.remember),
    ...CHECK_LIMITS,
    ...answerLimits(config),
    openFiles: OPEN_FILES,
    trustedNetworks: config.expose === "traefik" ? config.traefik.trustedNetworks : [],
    proxies,
    client: proxies.length > 0 ? "$client_address" : "$remote_addr",
    notified: hasNotifications(config),
    ...addresses(config),
    uiUrl: urls.ui,
  });
  return { text, script: scripted ? scriptText(config, templates, header) : undefined };
}

function scriptText(config: Config, templates: Templates, header: string): string {
  return fill(templates.gatewayScript, {
    header,
    anonymous: isAnyPublic(repositoryRules(config)),
    mirrored: hasMirror(config),
    catalogPage: CATALOG_PAGE,
    catalogMost: CATALOG_MOST,
    scriptRules: repositoryRules(config).map(({ repositories, pull, immutable }) => ({
      repositories: JSON.stringify(repositories.map(globPattern)),
      pull: JSON.stringify(grantMark(pull)),
      // Without a tag to keep, nothing matches.
      immutable: JSON.stringify(immutable.map(globPattern).join("|") || "^$"),
    })),
  });
}

/** The server that asks Authelia. */
function usersText(config: Config, templates: Templates, registry: string): string {
  const { protocol, host, pathname } = new URL(config.authelia.url);
  return fill(templates.gatewayUsers, {
    both: config.users.provider === "both",
    registryAddress: registry,
    registryHost: config.registry.host,
    autheliaAddress: host,
    autheliaScheme: protocol.replace(":", ""),
    autheliaPath: pathname.replace(/\/$/, ""),
  }).trimEnd();
}

/** The address that clients are sent to: the public one, or inside the Swarm the one that they asked. */
function addresses(config: Config) {
  const { registry: publicUrl } = publicUrls(config);
  const [scheme, authority] = publicUrl.split("://");
  if (config.expose === "ports" && !hasMirror(config))
    return { inside: undefined, scheme, authority, publicUrl };
  return {
    inside: {
      address: insideAddress(config),
      where: config.expose === "traefik" ? "on Traefik's network" : "inside the Swarm",
      scheme,
      authority,
    },
    scheme: "$public_scheme",
    authority: "$authority",
    publicUrl: "$public_scheme://$authority",
  };
}

/** 10G as nginx writes it. */
const nginxSize = (size: string): string => size.replace(/[bB]$/, "").toLowerCase();
