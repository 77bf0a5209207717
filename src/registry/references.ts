import { namesManifest } from "./mediaTypes.js";

/** What a manifest refers to. Source: OCI image specification 1.1, Docker image manifest v2 schema 2 and manifest list. */

export interface References {
  /** Digests of its config, its layers, and what an index lists that is no manifest: blobs that have to be there. */
  blobs: string[];
  /** Digests of an index's own manifests. */
  manifests: string[];
  /** The manifest that this one is about (a signature, an SBOM); a registry takes it before or after that one. */
  subject?: string;
}

interface ManifestJson {
  config?: { digest?: unknown };
  layers?: Array<{ digest?: unknown; urls?: unknown }>;
  fsLayers?: Array<{ blobSum?: unknown }>;
  manifests?: Array<{ digest?: unknown; mediaType?: unknown }>;
  subject?: { digest?: unknown };
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
    config?.digest,
    ...own.map(({ digest }) => digest),
    ...fsLayers.map(({ blobSum }) => blobSum),
    ...manifests.filter((entry) => !namesManifest(entry)).map(({ digest }) => digest),
  ];
  const about = digests([subject?.digest])[0];
  return {
    blobs: digests(blobs),
    manifests: digests(manifests.filter(namesManifest).map(({ digest }) => digest)),
    ...(about === undefined ? {} : { subject: about }),
  };
}

const digests = (values: readonly unknown[]): string[] => [
  ...new Set(values.filter((value): value is string => typeof value === "string")),
];
