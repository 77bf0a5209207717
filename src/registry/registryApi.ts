import { ExitCode, OperatorError } from "../errors.js";
import { digestOf } from "./digest.js";
import { buildDate } from "./imageFacts.js";
import { parseReferences } from "./references.js";
import type { RegistryClient } from "./registryClient.js";

/** The registry's HTTP API. Source: OCI distribution specification 1.1. */

const MANIFEST_TYPES = [
  "application/vnd.oci.image.index.v1+json",
  "application/vnd.oci.image.manifest.v1+json",
  "application/vnd.docker.distribution.manifest.list.v2+json",
  "application/vnd.docker.distribution.manifest.v2+json",
  "application/vnd.docker.distribution.manifest.v1+prettyjws",
].join(", ");

/** Names on one page of a list. */
const PAGE = 100;

/** The annotation with the time of the build. Source: OCI image specification, "Pre-Defined Annotation Keys". */
const CREATED = "org.opencontainers.image.created";

interface ManifestBody {
  config?: { digest?: string };
  annotations?: Record<string, unknown>;
}

/** An error of the distribution specification; the reason is what our gateway adds. */
interface RegistryError {
  message?: string;
  detail?: { reason?: string };
}

/** What a tag or digest stands for. */
export interface Manifest {
  digest: string;
  /** Digests of an index's own manifests; what else it lists is left out. */
  children: string[];
  config: string | undefined;
  /** The manifest that this one refers to. */
  subject: string | undefined;
  /** When it was built, by its annotation. */
  created: Date | undefined;
}

/** A manifest as the registry gives it. */
export interface RawManifest {
  digest: string;
  mediaType: string;
  bytes: Buffer;
}

/** What an index says of a manifest. */
export interface Descriptor {
  mediaType: string;
  digest: string;
  size: number;
}

export class RegistryApi {
  constructor(private readonly client: RegistryClient) {}

  /** Names of all repositories. */
  repositories(): Promise<string[]> {
    return this.pages(`/v2/_catalog?n=${PAGE}`, "repositories");
  }

  /** A repository's tags; none where all were deleted. */
  tags(repository: string): Promise<string[]> {
    return this.pages(`/v2/${repository}/tags/list?n=${PAGE}`, "tags");
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
    const bytes = Buffer.from(await response.arrayBuffer());
    return {
      digest: headers.get("docker-content-digest") ?? digestOf(bytes),
      mediaType: headers.get("content-type")?.split(";")[0] ?? "",
      bytes,
    };
  }

  /** @returns undefined where it is not there (any more) */
  async manifest(repository: string, reference: string): Promise<Manifest | undefined> {
    const raw = await this.rawManifest(repository, reference);
    if (raw === undefined) return undefined;
    const { digest, bytes } = raw;
    const references = parseReferences(bytes);
    const body = references ? (JSON.parse(bytes.toString("utf8")) as ManifestBody) : {};
    return {
      digest,
      children: references?.manifests ?? [],
      config: body.config?.digest,
      subject: references?.subject,
      created: buildDate(body.annotations?.[CREATED]),
    };
  }

  /**
   * Manifests that refer to one, by the referrers API.
   *
   * @returns undefined where the registry has no such API: they have tags of their own then
   */
  async referrers(repository: string, digest: string): Promise<Descriptor[] | undefined> {
    const path = `/v2/${repository}/referrers/${digest}`;
    const response = await this.client.request("GET", path);
    if (!response.ok) {
      await response.body?.cancel();
      return undefined;
    }
    const body = (await response.json().catch(() => ({}))) as { manifests?: Descriptor[] };
    return body.manifests;
  }

  /**
   * The content of a blob.
   *
   * @param offset bytes to leave out at its beginning
   * @returns the content and its offset, which is 0 if the registry ignores ranges; undefined where the registry does not have it
   */
  async blob(
    repository: string,
    digest: string,
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
  async blobSize(repository: string, digest: string): Promise<number | undefined> {
    const path = `/v2/${repository}/blobs/${digest}`;
    const response = await this.client.request("HEAD", path);
    if (response.status === 404) return undefined;
    return Number(this.client.expectOk(response, path).headers.get("content-length"));
  }

  /** The digest that a tag names; undefined where it is not there. */
  async digestOf(repository: string, reference: string): Promise<string | undefined> {
    const path = `/v2/${repository}/manifests/${reference}`;
    const response = await this.client.request("HEAD", path, { headers: { accept: MANIFEST_TYPES } });
    if (response.status === 404) return undefined;
    return this.client.expectOk(response, path).headers.get("docker-content-digest") ?? undefined;
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
    digest: string,
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
  async created(repository: string, config: string): Promise<Date | undefined> {
    const response = await this.client.request("GET", `/v2/${repository}/blobs/${config}`);
    if (response.status !== 200) return undefined;
    const { created } = (await response.json().catch(() => ({}))) as { created?: string };
    return buildDate(created);
  }

  /** Deletes a manifest, and with it every tag that names it. */
  async remove(repository: string, digest: string): Promise<void> {
    const path = `/v2/${repository}/manifests/${digest}`;
    const response = await this.client.request("DELETE", path);
    if (response.status === 405) throw await this.refusal(response);
    if (response.status !== 404) this.client.expectOk(response, path);
  }

  /** Why nothing is deleted: the gateway says it in words, and in the detail for programs. */
  private async refusal(response: Response): Promise<OperatorError> {
    const body = (await response.json().catch(() => ({}))) as { errors?: RegistryError[] };
    const { message, detail } = body.errors?.[0] ?? {};
    return new OperatorError(message ?? "the registry does not delete", {
      where: this.client.url,
      remedy:
        detail?.reason === "read-only"
          ? "Run the same command again when gc has finished: hephaestus status"
          : "Set registry.delete: true, then run hephaestus render and hephaestus deploy.",
      exitCode: ExitCode.verify,
    });
  }

  /** A list in pages, each naming the next in its Link header (RFC 8288). */
  private async pages(first: string, key: "repositories" | "tags"): Promise<string[]> {
    const names: string[] = [];
    for (let path: string | undefined = first; path !== undefined; ) {
      const response: Response = await this.client.request("GET", path);
      if (response.status === 404) return names;
      const body = (await this.client.expectOk(response, path).json()) as Record<string, string[] | null>;
      names.push(...(body[key] ?? []));
      const next = /<([^>]+)>\s*;\s*rel="?next/.exec(response.headers.get("link") ?? "")?.[1];
      const target = next === undefined ? undefined : new URL(next, this.client.url);
      path = target && `${target.pathname}${target.search}`;
    }
    return names;
  }
}

/** The body of a response. fetch cancels the body of a response that nothing refers to any more, so it is held here. */
async function* bodyOf(response: Response): AsyncGenerator<Uint8Array> {
  if (response.body) yield* response.body as unknown as AsyncIterable<Uint8Array>;
}
