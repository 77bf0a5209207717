import { z } from "zod";
import { ExitCode, OperatorError } from "../errors.js";
import { readJson } from "../json.js";
import { type Digest, digestOf, isDigest } from "./digest.js";
import { catalogPage, PAGE, readPages, referrersPage, tagsPage } from "./pagedList.js";
import { LARGEST_MANIFEST, parseReferences, sizeSchema } from "./references.js";
import { bodyOf, type RegistryClient } from "./registryClient.js";

/** The registry's HTTP API. Source: OCI distribution specification 1.1. */

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
].join(", ");

/**
 * The annotation with the time of the build. Source: OCI image specification, "Pre-Defined Annotation Keys".
 */
const CREATED = "org.opencontainers.image.created";

const configSchema = z.object({ created: z.unknown().optional() });
const annotationsSchema = z.object({ annotations: z.object({ [CREATED]: z.unknown().optional() }) });

/**
 * Before this day there was no container registry, so an earlier date is none: reproducible builds write 1970
 * or 1980.
 */
const FIRST_REGISTRY = Date.UTC(2013, 0, 1);

/** The date that an image claims to be built at; undefined where the text is no date that can be true. */
export function buildDate(text: unknown): Date | undefined {
  const date = new Date(typeof text === "string" ? text : "");
  return date.getTime() >= FIRST_REGISTRY ? date : undefined;
}

/** Errors of the distribution specification; the reason is what our gateway adds. */
const errorsSchema = z.object({
  errors: z.array(
    z.object({
      message: z.string().optional(),
      detail: z.object({ reason: z.string().optional() }).nullish(),
    }),
  ),
});

/** What a tag or digest stands for. */
export interface Manifest {
  digest: Digest;
  /** Digests of an index's own manifests; what else it lists is left out. */
  children: Digest[];
  config: Digest | undefined;
  /** The manifest that this one refers to. */
  subject: Digest | undefined;
  /** When it was built, by its annotation. */
  created: Date | undefined;
}

/** A manifest as the registry gives it. */
export interface RawManifest {
  /**
   * As the registry says, which may not be what the bytes have: that of Docker's schema 1 leaves the
   * signatures out.
   */
  digest: Digest;
  mediaType: string;
  bytes: Buffer;
}

export class RegistryApi {
  constructor(private readonly client: RegistryClient) {}

  /** Names of all repositories. */
  repositories(): Promise<string[]> {
    return readPages(this.client, `/v2/_catalog?n=${PAGE}`, catalogPage);
  }

  /** A repository's tags; none where all were deleted. */
  tags(repository: string): Promise<string[]> {
    return readPages(this.client, `/v2/${repository}/tags/list?n=${PAGE}`, tagsPage);
  }

  /**
   * A manifest with its bytes.
   *
   * @returns undefined where it is not there (any more)
   */
  async rawManifest(repository: string, reference: string): Promise<RawManifest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const response = await this.client.request("GET", path, { headers: { accept: MANIFEST_TYPES } });
    if (response.status === 404) return undefined;
    const { headers } = this.client.expectOk(response, path);
    const bytes = await this.client.read(response, path, LARGEST_MANIFEST);
    const named = headers.get("docker-content-digest");
    return {
      digest: isDigest(named) ? named : digestOf(bytes),
      mediaType: headers.get("content-type")?.split(";")[0] ?? "",
      bytes,
    };
  }

  /** @returns undefined where it is not there (any more), and "unreadable" where it is no manifest */
  async manifest(repository: string, reference: string): Promise<Manifest | undefined | "unreadable"> {
    const raw = await this.rawManifest(repository, reference);
    if (raw === undefined) return undefined;
    const references = parseReferences(raw.bytes);
    if (references === undefined) return "unreadable";
    return {
      digest: raw.digest,
      children: references.manifests,
      config: references.config,
      subject: references.subject,
      created: buildDate(readJson(annotationsSchema, raw.bytes)?.annotations[CREATED]),
    };
  }

  /**
   * Digests of manifests that refer to one, by the referrers API.
   *
   * @returns undefined where the registry has no such API: they have tags of their own then
   */
  async referrers(repository: string, digest: Digest): Promise<Digest[] | undefined> {
    const first = `/v2/${repository}/referrers/${digest}`;
    const response = await this.client.request("GET", first);
    if (response.ok) return readPages(this.client, first, referrersPage, response);
    await response.body?.cancel();
    if (response.status >= 500) throw this.client.unexpected(response.status, first);
    return undefined;
  }

  /**
   * The content of a blob.
   *
   * @param offset bytes to leave out at its beginning
   * @returns the content and its offset, which is 0 if the registry ignores ranges; undefined where the
   * registry does not have it
   */
  async blob(
    repository: string,
    digest: Digest,
    offset: number,
  ): Promise<{ offset: number; content: AsyncIterable<Uint8Array> } | undefined> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const headers = offset > 0 ? { range: `bytes=${offset}-` } : {};
    const response = await this.client.request("GET", path, { headers, timeout: 0 });
    if (response.status === 416) {
      await response.body?.cancel();
      return this.blob(repository, digest, 0);
    }
    if (response.status === 404) return undefined;
    const { status } = this.client.expectOk(response, path);
    return { offset: status === 206 ? offset : 0, content: bodyOf(response) };
  }

  /** Bytes of a blob in a repository; undefined where it is not there. */
  async blobSize(repository: string, digest: Digest): Promise<number | undefined> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const response = await this.client.request("HEAD", path);
    if (response.status === 404) return undefined;
    return sizeSchema.safeParse(Number(this.client.expectOk(response, path).headers.get("content-length")))
      .data;
  }

  /** The digest that a tag names; undefined where it is not there. */
  async digestOf(repository: string, reference: string): Promise<Digest | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const response = await this.client.request("HEAD", path, { headers: { accept: MANIFEST_TYPES } });
    if (response.status === 404) return undefined;
    const named = this.client.expectOk(response, path).headers.get("docker-content-digest");
    return isDigest(named) ? named : undefined;
  }

  /**
   * Uploads a blob in one piece, or takes it from another repository of this registry.
   *
   * @param from a repository that has it
   * @param read opens its content, once for each attempt
   * @returns whether its content was sent
   */
  async putBlob(
    repository: string,
    digest: Digest,
    from: string | undefined,
    read: () => ReadableStream,
  ): Promise<boolean> {
    const mount = from === undefined ? "" : `?${new URLSearchParams({ mount: digest, from })}`;
    const path = `/v2/${repository}/blobs/uploads/${mount}`;
    const begun = this.client.expectOk(await this.client.request("POST", path), path);
    await begun.body?.cancel();
    if (begun.status === 201) return false;
    const place = new URL(begun.headers.get("location") ?? "", this.client.url);
    place.searchParams.set("digest", digest);
    const headers = { "content-type": "application/octet-stream" };
    const target = `${place.pathname}${place.search}`;
    const stored = await this.client.request("PUT", target, { headers, body: read, timeout: 0 });
    await this.client.expectOk(stored, place.pathname).body?.cancel();
    return true;
  }

  /** @param reference a tag, or the digest */
  async putManifest(
    repository: string,
    reference: string,
    { mediaType, bytes }: Omit<RawManifest, "digest">,
  ) {
    const path = `/v2/${repository}/manifests/${reference}`;
    const headers = { "content-type": mediaType };
    const response = await this.client.request("PUT", path, { headers, body: bytes });
    await this.client.expectOk(response, path).body?.cancel();
  }

  /** When an image was built, by its config; undefined where it does not say, or says what cannot be. */
  async created(repository: string, config: Digest): Promise<Date | undefined> {
    const path = `/v2/${repository}/blobs/${config}`;
    const response = await this.client.request("GET", path);
    if (response.status !== 200) return undefined;
    const bytes = await this.client.read(response, path, LARGEST_MANIFEST).catch(() => Buffer.of());
    return buildDate(readJson(configSchema, bytes)?.created);
  }

  /** Deletes a manifest, and with it every tag that names it. */
  async remove(repository: string, digest: Digest): Promise<void> {
    const path = `/v2/${repository}/manifests/${digest}`;
    const response = await this.client.request("DELETE", path);
    if (response.status === 405) throw await this.refusal(response, path);
    if (response.status !== 404) this.client.expectOk(response, path);
  }

  /** Why nothing is deleted: the gateway says it in words, and in the detail for programs. */
  private async refusal(response: Response, path: string): Promise<OperatorError> {
    const body = await this.client.read(response, path, LARGEST_MANIFEST);
    const { message, detail } = readJson(errorsSchema, body)?.errors[0] ?? {};
    return new OperatorError(message ?? "the registry does not delete", {
      where: this.client.url,
      remedy:
        detail?.reason === "read-only"
          ? "Run the same command again when gc has finished: hephaestus status"
          : "Set registry.delete: true, then run hephaestus render and hephaestus deploy.",
      exitCode: ExitCode.verify,
    });
  }
}
