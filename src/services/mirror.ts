import { Document } from "yaml";
import { globPattern } from "../access/glob.js";
import type { Config } from "../config/resolve.js";
import { isVersionRange } from "../config/schema/imageMirror.js";
import { insideAddress } from "./addresses.js";
import type { Service } from "./composeModel.js";
import {
  hasMirror,
  type MirrorSource,
  mirrorSources,
  plainRegistries,
  registryName,
} from "./mirrorSources.js";
import { deploy, logging, outerNetworks, UNPRIVILEGED } from "./parts.js";
import { secretMount } from "./secretMounts.js";
import type { StackService } from "./stackService.js";

/** Where regsync finds its config. */
export const REGSYNC_CONFIG = "/etc/regsync/regsync.yml";

/** The folder of the logins at sources, a config.json as Docker's. Source: regclient, config/docker.go. */
const LOGINS_FOLDER = "/etc/regsync";

/** The account that the mirror pushes with, as USER:PASSWORD. */
const MIRROR_ACCOUNT = "/run/secrets/mirror";

/** The program of the image without a shell. Source: regclient, build/Dockerfile.regsync. */
export const REGSYNC = "/regsync";

/** Its log as JSON lines. */
export const REGSYNC_LOG = ["--logopt", "json"] as const;

/**
 * The service `mirror`: regsync, which copies images of other registries here. It asks the gateway, as a
 * machine account that may push to the targets of `mirror` alone, and is not on the stack's own network
 * behind Traefik.
 */
export function mirror(config: Config): StackService | undefined {
  if (!hasMirror(config)) return undefined;
  return {
    service: service(config),
    files: ({ header }) => ({
      mirror: { path: "mirror/regsync.yml", text: regsyncText(config, mirrorSources(config), header) },
    }),
  };
}

function service(config: Config): Service {
  const { regsync } = config;
  return {
    image: regsync.image,
    user: UNPRIVILEGED,
    entrypoint: [REGSYNC, ...REGSYNC_LOG, "server", "--config", REGSYNC_CONFIG],
    environment: { DOCKER_CONFIG: LOGINS_FOLDER },
    networks: outerNetworks(config),
    volumes: [{ type: "tmpfs", target: "/tmp", tmpfs: { size: 64 * 1024 * 1024 } }],
    configs: [{ source: "mirror", target: REGSYNC_CONFIG }],
    secrets: [
      secretMount("mirror", "mirror", UNPRIVILEGED),
      ...(regsync.logins ? [secretMount("mirror-logins", `${LOGINS_FOLDER}/config.json`, UNPRIVILEGED)] : []),
    ],
    read_only: true,
    cap_drop: ["ALL"],
    stop_grace_period: "60s",
    logging: logging(),
    deploy: deploy(config, {
      replicas: 1,
      placement: regsync.placement,
      resources: regsync.resources,
      startFirst: false,
    }),
  };
}

/** Images that are copied at once. */
const PARALLEL = 2;

/**
 * Pulls that a source has to have left: with fewer regsync waits, so that people can still pull. Source:
 * regclient.org/usage/regsync.
 */
const RATE_LIMIT = { min: 10, retry: "15m" } as const;

/** Half of the account's USER:PASSWORD, as a Go template. Source: regclient, pkg/template. */
const half = (index: number): string => `{{index (split (file "${MIRROR_ACCOUNT}") ":") ${index}}}`;

/**
 * A config of regsync. Source: regclient, cmd/regsync/config.go.
 *
 * @param sources what it copies
 */
export function regsyncText(config: Config, sources: readonly MirrorSource[], header: string): string {
  const here = registryName(config);
  const document = new Document({
    version: 1,
    creds: [
      // The gateway is asked inside the Swarm; its public name stands in messages.
      { registry: here, hostname: insideAddress(config), tls: "disabled", user: half(0), pass: half(1) },
      ...plainRegistries(config).map((registry) => ({ registry, tls: "disabled" })),
    ],
    defaults: { parallel: PARALLEL, ratelimit: RATE_LIMIT },
    sync: sources.map((source) => ({
      source: source.from,
      target: `${here}/${source.to}`,
      type: "repository",
      tagSets: tagSets(source.tags),
      ...(source.platform === undefined ? {} : { platform: source.platform }),
      // Signatures and attestations, as referrers and as tags that are named after a digest.
      referrers: source.referrers,
      digestTags: source.referrers,
      interval: source.interval,
    })),
  });
  document.commentBefore = ` ${header}`;
  return document.toString({ lineWidth: 0 });
}

/** Tags that one of the entries names. regsync matches whole tags. */
function tagSets(entries: readonly string[]): object[] {
  const ranges = entries.filter(isVersionRange);
  const globs = entries
    .filter((entry) => !isVersionRange(entry))
    .map((glob) => globPattern(glob).slice(1, -1));
  return [
    ...(globs.length > 0 ? [{ allow: globs }] : []),
    ...(ranges.length > 0 ? [{ semverRange: ranges }] : []),
  ];
}
