import { z } from "zod";
import { readJson } from "../json.js";
import { type Digest, digestSchema } from "./digest.js";

/**
 * What a manifest refers to. Source: OCI image specification 1.1, Docker image manifest v2 schema 2 and
 * manifest list.
 */

/**
 * Media types of manifests and indexes. Source: OCI image specification 1.1 (media-types.md), Docker image
 * manifest v2 (schema 1, schema 2 and manifest list).
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
 * Whether a descriptor in an index names a manifest. An index may list other things too: the cache that
 * BuildKit exports lists layers and its own configuration. A descriptor without a media type is an old one,
 * and names a manifest.
 */
const namesManifest = ({ mediaType }: { mediaType?: unknown }): boolean =>
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
  const { mediaType, manifests } = readJson(typesSchema, bytes) ?? {};
  return isMediaType(mediaType) ? mediaType : manifests ? OCI_INDEX : OCI_MANIFEST;
}

const typesSchema = z.object({ mediaType: z.unknown().optional(), manifests: z.unknown().optional() });

/** Content as a manifest names it. Source: OCI image specification, descriptor.md. */
export interface Content {
  digest: Digest;
  /** Bytes; undefined where the manifest does not say (Docker's schema 1). */
  size: number | undefined;
}

export interface References {
  /** Its config, its layers, and what an index lists that is no manifest: blobs that have to be there. */
  blobs: Content[];
  /** The config alone: what says for which platform an image is, and when it was built. */
  config?: Digest;
  /** Digests of an index's own manifests. */
  manifests: Digest[];
  /**
   * The manifest that this one is about (a signature, an SBOM); a registry takes it before or after that one.
   */
  subject?: Digest;
}

/** Larger ones no registry takes. Source: distribution specification, "Pushing Manifests" (4 MiB). */
export const LARGEST_MANIFEST = 4 * 1024 * 1024;

/** Bytes of a blob that can be true: S3 keeps objects of up to 50 TB. */
const LARGEST_BLOB = 50e12;

/** Bytes of content as an outside document gives them. */
export const sizeSchema = z.int().min(0).max(LARGEST_BLOB);

const descriptor = z.object({
  digest: digestSchema,
  size: sizeSchema.optional(),
  mediaType: z.unknown().optional(),
  urls: z.unknown().optional(),
});
/** Programs write null for a list that is empty. */
const list = <T extends z.ZodType>(item: T) => z.array(item).nullish();
const manifestSchema = z
  .object({
    config: descriptor.nullish(),
    layers: list(descriptor),
    fsLayers: list(z.object({ blobSum: digestSchema })),
    manifests: list(descriptor),
    subject: descriptor.nullish(),
  })
  .refine(
    ({ config, layers, fsLayers, manifests }) => config !== undefined || (layers ?? fsLayers ?? manifests),
  );

/**
 * Reads the references out of a manifest's bytes.
 *
 * @returns undefined where the bytes are no manifest, or one of its digests or sizes is none: nothing of it
 * can be trusted then
 */
export function parseReferences(bytes: Buffer): References | undefined {
  if (bytes.length > LARGEST_MANIFEST) return undefined;
  const data = readJson(manifestSchema, bytes);
  if (data === undefined) return undefined;
  const { config, layers, fsLayers, manifests, subject } = data;
  // Layers with urls may lie elsewhere (foreign layers): no registry has to have them.
  const own = (layers ?? []).filter(({ urls }) => !Array.isArray(urls) || urls.length === 0);
  const blobs = [
    ...(config ? [config] : []),
    ...own,
    ...(fsLayers ?? []).map(({ blobSum }) => ({ digest: blobSum })),
    ...(manifests ?? []).filter((entry) => !namesManifest(entry)),
  ];
  return {
    blobs: contents(blobs),
    ...(config ? { config: config.digest } : {}),
    manifests: contents((manifests ?? []).filter(namesManifest)).map(({ digest }) => digest),
    ...(subject ? { subject: subject.digest } : {}),
  };
}

/** Each digest once. */
function contents(descriptors: readonly { digest: Digest; size?: number | undefined }[]): Content[] {
  const found = new Map<string, Content>();
  for (const { digest, size } of descriptors) if (!found.has(digest)) found.set(digest, { digest, size });
  return [...found.values()];
}
