import { createHash } from "node:crypto";
import { type Answer, ask, type Endpoint } from "./raw.js";

export const MANIFEST_TYPE = "application/vnd.oci.image.manifest.v1+json";

/** A small image that stands in a registry, and what is needed to try to write it again. */
export interface Image {
  repository: string;
  tag: string;
  manifest: string;
  manifestDigest: string;
  blobDigest: string;
}

export const digestOf = (bytes: string | Buffer): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

/**
 * Pushes an image of one layer with nothing but requests.
 *
 * @param more what its layer and its manifest have beside the name of the repository
 */
export async function pushImage(
  endpoint: Endpoint,
  authorization: string,
  repository: string,
  tag: string,
  more = "",
): Promise<Image> {
  const config = JSON.stringify({
    architecture: "amd64",
    os: "linux",
    rootfs: { type: "layers", diff_ids: [] },
  });
  const layer = `layer of ${repository}${more}`;
  for (const blob of [config, layer]) {
    const location = await startUpload(endpoint, authorization, repository);
    const target = `${location}&digest=${digestOf(blob)}`;
    expectStatus(await ask(endpoint, "PUT", target, [authorization], blob), 201);
  }
  const part = (mediaType: string, bytes: string) => ({
    mediaType: `application/vnd.oci.image.${mediaType}`,
    digest: digestOf(bytes),
    size: bytes.length,
  });
  const manifest = JSON.stringify({
    schemaVersion: 2,
    mediaType: MANIFEST_TYPE,
    config: part("config.v1+json", config),
    layers: [part("layer.v1.tar", layer)],
    ...(more !== "" && { annotations: { more } }),
  });
  const image = {
    repository,
    tag,
    manifest,
    manifestDigest: digestOf(manifest),
    blobDigest: digestOf(layer),
  };
  await putManifest(endpoint, authorization, image, tag);
  return image;
}

/** Gives an image that is there a tag. */
export async function putManifest(
  endpoint: Endpoint,
  authorization: string,
  { repository, manifest }: Image,
  tag: string,
): Promise<void> {
  const headers = [authorization, `Content-Type: ${MANIFEST_TYPE}`];
  expectStatus(await ask(endpoint, "PUT", `/v2/${repository}/manifests/${tag}`, headers, manifest), 201);
}

/** @returns the path, with its query, where the upload goes on */
export async function startUpload(
  endpoint: Endpoint,
  authorization: string,
  repository: string,
): Promise<string> {
  const answer = await ask(endpoint, "POST", `/v2/${repository}/blobs/uploads/`, [authorization]);
  expectStatus(answer, 202);
  const { pathname, search } = new URL(answer.headers.location ?? "");
  return pathname + search;
}

function expectStatus(answer: Answer, status: number): void {
  if (answer.status !== status) throw new Error(`${answer.status} instead of ${status}: ${answer.body}`);
}
