/**
 * Media types of manifests and indexes. Source: OCI image specification 1.1 (media-types.md), Docker image manifest v2
 * (schema 1, schema 2 and manifest list).
 */
const MANIFESTS: ReadonlySet<string> = new Set([
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
]);

/**
 * Whether a descriptor in an index names a manifest. An index may list other things too: the cache that BuildKit exports
 * lists layers and its own configuration. A descriptor without a media type is an old one, and names a manifest.
 */
export const namesManifest = ({ mediaType }: { mediaType?: unknown }): boolean =>
  typeof mediaType !== "string" || MANIFESTS.has(mediaType);
