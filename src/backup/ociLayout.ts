/**
 * The OCI image layout, as far as a backup uses it: pure. Source: OCI image specification 1.1, image-layout.md and
 * image-index.md. skopeo, crane, oras and regctl read it.
 */

export const LAYOUT_FILE = "oci-layout";
export const INDEX_FILE = "index.json";
export const LAYOUT = `${JSON.stringify({ imageLayoutVersion: "1.0.0" })}\n`;

const INDEX_TYPE = "application/vnd.oci.image.index.v1+json";

/** The name of a manifest: here `repository:tag`, by which skopeo finds it. Source: annotations.md. */
const REF_NAME = "org.opencontainers.image.ref.name";
/** The repository of a manifest that no tag names: one that refers to another. */
const REPOSITORY = "hephaestus.repository";

const DIGEST = /^sha256:[0-9a-f]{64}$/;

export const isDigest = (text: string): boolean => DIGEST.test(text);

/** The path of a blob in the layout. */
export const blobFile = (digest: string): string => `blobs/sha256/${digest.slice("sha256:".length)}`;

/** A manifest that a repository has under a tag, or, without one, because it refers to another. */
export interface NamedManifest {
  repository: string;
  tag: string | undefined;
  mediaType: string;
  digest: string;
  size: number;
}

interface IndexJson {
  manifests: Array<{
    mediaType: string;
    digest: string;
    size: number;
    annotations?: Record<string, string>;
  }>;
}

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
 * @throws SyntaxError where it is no JSON, TypeError where it is no index
 */
export function parseIndex(text: string): ParsedIndex {
  const { manifests } = JSON.parse(text) as IndexJson;
  if (!Array.isArray(manifests)) throw new TypeError("has no list of manifests");
  const parsed: ParsedIndex = { named: [], nameless: [] };
  for (const { mediaType, digest, size, annotations = {} } of manifests) {
    if (typeof digest !== "string" || !isDigest(digest))
      throw new TypeError(`has an invalid digest: ${digest}`);
    const [, repository, tag] = REFERENCE.exec(annotations[REF_NAME] ?? "") ?? [];
    const name = repository ?? annotations[REPOSITORY];
    if (name === undefined) parsed.nameless.push(annotations[REF_NAME] ?? digest);
    else parsed.named.push({ repository: name, tag, mediaType, digest, size });
  }
  return parsed;
}

/** Source: distribution specification, names and tags. */
const REFERENCE =
  /^([a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*(?:\/[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*)*):([A-Za-z0-9_][A-Za-z0-9._-]{0,127})$/;
