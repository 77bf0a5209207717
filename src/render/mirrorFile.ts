import { Document } from "yaml";
import { globPattern } from "../access/glob.js";
import type { Config } from "../config/resolve.js";
import { isVersionRange } from "../config/schema/imageMirror.js";
import { insideAddress } from "../stack/gatewayService.js";
import { MIRROR_ACCOUNT } from "../stack/mirrorService.js";
import { type MirrorSource, mirrorSources, plainRegistries, registryName } from "../stack/mirrorSources.js";
import type { RenderedFile } from "./renderedFiles.js";

/** Images that are copied at once. */
const PARALLEL = 2;

/** Pulls that a source has to have left: with fewer regsync waits, so that people can still pull. Source: regclient.org/usage/regsync. */
const RATE_LIMIT = { min: 10, retry: "15m" } as const;

/** Half of the account's USER:PASSWORD, as a Go template. Source: regclient, pkg/template. */
const half = (index: number): string => `{{index (split (file "${MIRROR_ACCOUNT}") ":") ${index}}}`;

/** The config file of regsync, with the sources of the config. */
export const mirrorFile = (config: Config, header: string): RenderedFile => ({
  path: "mirror/regsync.yml",
  text: regsyncText(config, mirrorSources(config), header),
});

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
