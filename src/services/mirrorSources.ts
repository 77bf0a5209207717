import { type Config, publicUrls } from "../config/resolve.js";
import { defaultName, SELF } from "../config/schema/imageMirror.js";
import type { ParsedConfig } from "../config/schema/index.js";

/** The part of the config that decides what is mirrored. */
export type MirrorConfig = Pick<ParsedConfig, "mirror" | "regsync" | "registry" | "gateway" | "ui">;

/** A repository of another registry that is kept here too. */
export interface MirrorSource {
  /** What a person calls it. */
  name: string;
  /** Registry and repository, without a tag. */
  from: string;
  /** The repository here. */
  to: string;
  /** Globs for tags, and ranges of versions. */
  tags: readonly string[];
  /** The only platform that is copied; undefined for all. */
  platform: string | undefined;
  referrers: boolean;
  /** As Go writes a duration. */
  interval: string;
}

/** Folder of the stack's own images in the registry. */
const SELF_FOLDER = "mirror";

/** What the config mirrors, the stack's own images last. */
export function mirrorSources(config: MirrorConfig): MirrorSource[] {
  const written = config.mirror.map(
    ({ name, from, to, tags, platforms, referrers, every }): MirrorSource => ({
      name: name ?? defaultName(to),
      from,
      to,
      tags,
      platform: platforms?.[0],
      referrers,
      interval: goDuration(every),
    }),
  );
  return [...written, ...(config.regsync.self === "off" ? [] : selfSources(config))];
}

/** Whether the stack has a worker that mirrors. */
export const hasMirror = (config: Pick<ParsedConfig, "mirror" | "regsync">): boolean =>
  config.mirror.length > 0 || config.regsync.self !== "off";

/**
 * Registries that speak HTTP without TLS. How a registry is reached is the same for all of its repositories,
 * those of the stack's own images included.
 */
export const plainRegistries = ({ mirror }: Pick<ParsedConfig, "mirror">): string[] => [
  ...new Set(mirror.filter(({ plainHttp }) => plainHttp).map(({ from }) => from.replace(/\/.*$/, ""))),
];

/** 1d as Go writes it: 24h. */
const goDuration = (every: string): string =>
  every.endsWith("d") ? `${Number.parseInt(every, 10) * 24}h` : every;

/**
 * An image reference in its parts, as Docker completes it. Source: distribution/reference, "normalize.go".
 */
export function imageParts(image: string): {
  repository: string;
  tag: string | undefined;
  digest: string | undefined;
} {
  const [, name = "", tag, digest] = /^([^@]+?)(?::([\w][\w.-]*))?(?:@(.+))?$/.exec(image) ?? [];
  const first = name.split("/")[0] ?? "";
  const hasRegistry = name.includes("/") && /[.:]|^localhost$/.test(first);
  const full = hasRegistry ? name : `docker.io/${name.includes("/") ? "" : "library/"}${name}`;
  return { repository: full, tag, digest };
}

/** Where the copy of one of the stack's own images is in the registry. */
export const selfTarget = (image: string): string =>
  `${SELF_FOLDER}/${imageParts(image).repository.replace(/^[^/]+\//, "")}`;

/** Host and port of the registry, as images here are named. */
export const registryName = (config: Config): string =>
  publicUrls(config).registry.replace(/^https?:\/\//, "");

/** An image of the stack, as the services name it: here where `regsync.self` is `use`. */
export function usedImage(config: Config, image: string): string {
  const { tag, digest } = imageParts(image);
  if (config.regsync.self !== "use" || tag === undefined) return image;
  return `${registryName(config)}/${selfTarget(image)}:${tag}${digest === undefined ? "" : `@${digest}`}`;
}

/** The parts of the config whose images the stack runs. */
export const ownParts = ({ ui }: Pick<MirrorConfig, "ui">): ("registry" | "gateway" | "regsync" | "ui")[] => [
  "registry",
  "gateway",
  "regsync",
  ...(ui.enabled || ui.admin.enabled ? (["ui"] as const) : []),
];

/** The images of the stack that can be mirrored: those with a tag, since a digest alone has none here. */
function selfSources(config: MirrorConfig): MirrorSource[] {
  const sources = new Map<string, MirrorSource>();
  for (const part of ownParts(config)) {
    const { image } = config[part];
    const { repository, tag } = imageParts(image);
    if (tag === undefined) continue;
    const known = sources.get(repository);
    sources.set(repository, {
      name: SELF,
      from: repository,
      to: selfTarget(image),
      tags: [...new Set([...(known?.tags ?? []), tag])],
      platform: undefined,
      referrers: true,
      interval: "24h",
    });
  }
  return [...sources.values()];
}

/** Repositories here that the mirror may push to. */
export const mirrorTargets = (config: MirrorConfig): string[] => [
  ...new Set(mirrorSources(config).map(({ to }) => to)),
];
