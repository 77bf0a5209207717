/**
 * Media types of manifests and indexes. Source: OCI image specification 1.1 (media-types.md), Docker image manifest v2
 * (schema 1, schema 2 and manifest list).
 */
const OCI_INDEX = "application/vnd.oci.image.index.v1+json";
const OCI_MANIFEST = "application/vnd.oci.image.manifest.v1+json";

const MANIFESTS: ReadonlySet<string> = new Set([
  OCI_INDEX,
  OCI_MANIFEST,
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

/** Whether a text from outside may go into a header as a media type. Source: RFC 6838, 4.2. */
export const isMediaType = (value: unknown): value is string =>
  typeof value === "string" && /^[\w!#$&^.+-]{1,127}\/[\w!#$&^.+-]{1,127}$/.test(value);

/**
 * The media type of a manifest by its own words, or else by its form.
 *
 * @param bytes of a manifest
 */
export function mediaTypeOf(bytes: Buffer): string {
  const { mediaType, manifests } = JSON.parse(bytes.toString("utf8")) as {
    mediaType?: unknown;
    manifests?: unknown;
  };
  return isMediaType(mediaType) ? mediaType : manifests ? OCI_INDEX : OCI_MANIFEST;
}
