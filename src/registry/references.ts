import { namesManifest } from "./mediaTypes.js";

/** What a manifest refers to. Source: OCI image specification 1.1, Docker image manifest v2 schema 2 and manifest list. */

/** Content as a manifest names it. Source: OCI image specification, descriptor.md. */
export interface Content {
  digest: string;
  /** Bytes; undefined where the manifest does not say (Docker's schema 1). */
  size: number | undefined;
}

export interface References {
  /** Its config, its layers, and what an index lists that is no manifest: blobs that have to be there. */
  blobs: Content[];
  /** Digests of an index's own manifests. */
  manifests: string[];
  /** The manifest that this one is about (a signature, an SBOM); a registry takes it before or after that one. */
  subject?: string;
}

interface DescriptorJson {
  digest?: unknown;
  size?: unknown;
  mediaType?: unknown;
  urls?: unknown;
}

interface ManifestJson {
  config?: DescriptorJson;
  layers?: DescriptorJson[];
  fsLayers?: Array<{ blobSum?: unknown }>;
  manifests?: DescriptorJson[];
  subject?: DescriptorJson;
}

/** Larger ones no registry takes. Source: distribution specification, "Pushing Manifests" (4 MiB). */
export const LARGEST_MANIFEST = 4 * 1024 * 1024;

/**
 * Reads the references out of a manifest's bytes.
 *
 * @returns undefined where the bytes are no manifest
 */
export function parseReferences(bytes: Buffer): References | undefined {
  let json: ManifestJson | null;
  try {
    json = JSON.parse(bytes.toString("utf8")) as ManifestJson | null;
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { config, layers = [], fsLayers = [], manifests = [], subject } = json;
  if (![layers, fsLayers, manifests].every(Array.isArray)) return undefined;
  if (config === undefined && json.layers === undefined && json.fsLayers === undefined && !json.manifests)
    return undefined;
  // Layers with urls may lie elsewhere (foreign layers): no registry has to have them.
  const own = layers.filter(({ urls }) => !Array.isArray(urls) || urls.length === 0);
  const blobs = [
    ...(config ? [config] : []),
    ...own,
    ...fsLayers.map(({ blobSum }) => ({ digest: blobSum })),
    ...manifests.filter((entry) => !namesManifest(entry)),
  ];
  const about = contents(subject ? [subject] : [])[0];
  return {
    blobs: contents(blobs),
    manifests: contents(manifests.filter(namesManifest)).map(({ digest }) => digest),
    ...(about === undefined ? {} : { subject: about.digest }),
  };
}

/** Each digest once. */
function contents(descriptors: readonly DescriptorJson[]): Content[] {
  const found = new Map<string, Content>();
  for (const { digest, size } of descriptors)
    if (typeof digest === "string" && !found.has(digest))
      found.set(digest, { digest, size: typeof size === "number" ? size : undefined });
  return [...found.values()];
}
