import { z } from "zod";
import { REPOSITORY_NAME, TAG_NAME } from "../access/glob.js";
import { parseJson } from "../json.js";
import { type Digest, digestSchema, hexOf } from "../registry/digest.js";
import { sizeSchema } from "../registry/references.js";

/**
 * The OCI image layout, as far as a backup uses it: pure. Source: OCI image specification 1.1,
 * image-layout.md and image-index.md. skopeo, crane, oras and regctl read it.
 */

export const LAYOUT_FILE = "oci-layout";
export const INDEX_FILE = "index.json";
export const LAYOUT = `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`;

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** The name of a manifest: here `repository:tag`, by which skopeo finds it. Source: annotations.md. */
const REF_NAME = "org.opencontainers.image.ref.name";
/** The repository of a manifest that no tag names: one that refers to another. */
const REPOSITORY = "hephaestus.repository";

/** The path of a blob in the layout. */
export const blobFile = (digest: Digest): string => `blobs/sha256/${hexOf(digest)}`;

/** A manifest that a repository has under a tag, or, without one, because it refers to another. */
export interface NamedManifest {
  repository: string;
  tag: string | undefined;
  mediaType: string;
  digest: Digest;
  size: number;
}

const indexSchema = z.object({
  manifests: z.array(
    z.object({
      mediaType: z.string(),
      digest: digestSchema,
      size: sizeSchema,
      annotations: z.record(z.string(), z.string()).nullish(),
    }),
  ),
});

export function formatIndex(named: readonly NamedManifest[]): string {
  const manifests = named.map(({ repository, tag, mediaType, digest, size }) => ({
    mediaType,
    digest,
    size,
    annotations: tag === undefined ? { [REPOSITORY]: repository } : { [REF_NAME]: `${repository}:${tag}` },
  }));
  return `${JSON.stringify({ schemaVersion: 2, mediaType: INDEX_TYPE, manifests }, null, 1)}\n`;
}

/** What an index lists, and what of it has no name that a registry could take. */
export interface ParsedIndex {
  named: NamedManifest[];
  nameless: string[];
}

/**
 * Reads an index of a layout, whichever program wrote it.
 *
 * @throws TypeError where it is none; it says where
 */
export function parseIndex(text: string): ParsedIndex {
  const { manifests } = parseJson(indexSchema, text);
  const parsed: ParsedIndex = { named: [], nameless: [] };
  for (const { mediaType, digest, size, annotations } of manifests) {
    const name = annotations?.[REF_NAME];
    const [, tagged, tag] = REFERENCE.exec(name ?? "") ?? [];
    const repository = tagged ?? annotations?.[REPOSITORY];
    if (repository === undefined || !NAME.test(repository))
      parsed.nameless.push(name ?? repository ?? digest);
    else parsed.named.push({ repository, tag, mediaType, digest, size });
  }
  return parsed;
}

const NAME = new RegExp(`^${REPOSITORY_NAME}$`);
const REFERENCE = new RegExp(`^(${REPOSITORY_NAME}):(${TAG_NAME})$`);
