import { REPOSITORY_NAME, TAG_NAME } from "../../access/glob.js";
import { type Digest, hexOf, isDigest } from "../../registry/digest.js";

/**
 * The layout of a registry's storage. Source: distribution, registry/storage/paths.go (lines 2 and 3 have the same). Links are
 * small files that hold a digest; they say what a repository has. Blobs are shared by all repositories.
 */

/** Where everything lies, below the storage folder. */
const ROOT = "docker/registry/v2";

const REPOSITORIES = `${ROOT}/repositories/`;
const HEX = "[0-9a-f]{64}";

const PATTERNS = {
  /** The image that a tag names now. */
  tag: new RegExp(`^(${REPOSITORY_NAME})/_manifests/tags/(${TAG_NAME})/current/link$`),
  /** An image that a tag named once. */
  index: new RegExp(`^(${REPOSITORY_NAME})/_manifests/tags/(${TAG_NAME})/index/sha256/(${HEX})/link$`),
  revision: new RegExp(`^(${REPOSITORY_NAME})/_manifests/revisions/sha256/(${HEX})/link$`),
  layer: new RegExp(`^(${REPOSITORY_NAME})/_layers/sha256/(${HEX})/link$`),
} as const;

/** What a link says. */
export interface Link {
  kind: keyof typeof PATTERNS;
  repository: string;
  /** Of the kinds tag and index. */
  tag: string | undefined;
  digest: Digest;
}

/**
 * Reads a link.
 *
 * @param path below the storage folder
 * @param content what the file holds
 * @returns undefined for a file of another kind, and for a link whose content is not what its place says
 */
export function parseLink(path: string, content: string): Link | undefined {
  if (!path.startsWith(REPOSITORIES) || !isDigest(content)) return undefined;
  const rest = path.slice(REPOSITORIES.length);
  for (const kind of ["layer", "revision", "tag", "index"] as const) {
    const [, repository = "", second = "", third] = PATTERNS[kind].exec(rest) ?? [];
    if (repository === "") continue;
    const hex = kind === "tag" ? undefined : kind === "index" ? third : second;
    if (hex !== undefined && content !== `sha256:${hex}`) return undefined;
    const tag = kind === "tag" || kind === "index" ? second : undefined;
    return { kind, repository, tag, digest: content };
  }
  return undefined;
}

/** Whether a path is one that a link may have, whatever it holds now. */
export const isLinkPath = (path: string): boolean =>
  path.startsWith(REPOSITORIES) &&
  Object.values(PATTERNS).some((pattern) => pattern.test(path.slice(REPOSITORIES.length)));

/** The path of a blob below the storage folder. */
export function blobPath(digest: Digest): string {
  const hex = hexOf(digest);
  return `${ROOT}/blobs/sha256/${hex.slice(0, 2)}/${hex}/data`;
}
