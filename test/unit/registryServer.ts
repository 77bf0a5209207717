/** A registry in memory, as far as backups use it. Source: OCI distribution specification 1.1. */
import { createHash, randomUUID } from "node:crypto";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { buffer } from "node:stream/consumers";

export const digestOf = (bytes: Uint8Array): string =>
  `sha256:${createHash("sha256").update(bytes).digest("hex")}`;

export const TYPES = {
  manifest: "application/vnd.oci.image.manifest.v1+json",
  index: "application/vnd.oci.image.index.v1+json",
} as const;

interface Stored {
  bytes: Buffer;
  mediaType: string;
}

interface Repository {
  tags: Map<string, string>;
  manifests: Map<string, Stored>;
  blobs: Map<string, Buffer>;
}

export class RegistryServer {
  readonly repositories = new Map<string, Repository>();
  /** Every request, as "METHOD path". */
  readonly requests: string[] = [];
  /** Whether it has the referrers API. */
  hasReferrers = false;
  /** Bytes of a blob after which the connection breaks, once for each entry. */
  breaks: number[] = [];
  /** A path that is answered 500. */
  failing: string | undefined;
  private readonly server: Server;

  private constructor() {
    this.server = createServer((request, response) => {
      this.answer(request, response).catch((error: unknown) => {
        response.writeHead(500).end(String(error));
      });
    });
  }

  static async start(): Promise<RegistryServer> {
    const registry = new RegistryServer();
    await new Promise<void>((resolve) => registry.server.listen(0, "127.0.0.1", resolve));
    return registry;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.server.address() as AddressInfo).port}`;
  }

  stop(): void {
    this.server.closeAllConnections();
    this.server.close();
  }

  repository(name: string): Repository {
    const found = this.repositories.get(name) ?? { tags: new Map(), manifests: new Map(), blobs: new Map() };
    this.repositories.set(name, found);
    return found;
  }

  blob(repository: string, bytes: Buffer) {
    this.repository(repository).blobs.set(digestOf(bytes), bytes);
    return { mediaType: "application/octet-stream", digest: digestOf(bytes), size: bytes.length };
  }

  manifest(repository: string, tag: string | undefined, mediaType: string, body: object) {
    const bytes = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, ...body }));
    const digest = digestOf(bytes);
    const { manifests, tags } = this.repository(repository);
    manifests.set(digest, { bytes, mediaType });
    if (tag !== undefined) tags.set(tag, digest);
    return { mediaType, digest, size: bytes.length };
  }

  /** An image with a layer of the given text. */
  image(repository: string, tag: string | undefined, text: string, more: object = {}) {
    const config = this.blob(repository, Buffer.from(JSON.stringify({ os: "linux", text })));
    const layers = [this.blob(repository, Buffer.from(`layer ${text}`))];
    return this.manifest(repository, tag, TYPES.manifest, { config, layers, ...more });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<unknown> {
    const url = new URL(request.url ?? "", this.url);
    const { pathname, searchParams } = url;
    const method = request.method ?? "";
    this.requests.push(`${method} ${pathname}`);
    const send = (status: number, body: Buffer | object = {}, headers: Record<string, string> = {}) => {
      const bytes = Buffer.isBuffer(body) ? body : Buffer.from(JSON.stringify(body));
      response.writeHead(status, { "content-length": String(bytes.length), ...headers });
      return response.end(method === "HEAD" ? undefined : bytes);
    };
    if (pathname === this.failing) return send(500);
    if (pathname === "/v2/_catalog") return send(200, { repositories: [...this.repositories.keys()].sort() });
    const [, name = "", kind, reference = ""] =
      /^\/v2\/(.+)\/(manifests|blobs|tags|referrers)\/(.+)$/.exec(pathname) ?? [];
    const found = this.repository(name);
    if (kind === "tags") return send(200, { name, tags: [...found.tags.keys()] });
    if (kind === "referrers") {
      if (!this.hasReferrers) return send(404);
      const manifests = [...found.manifests].flatMap(([digest, { bytes, mediaType }]) => {
        const { subject } = JSON.parse(String(bytes)) as { subject?: { digest: string } };
        return subject?.digest === reference ? [{ mediaType, digest, size: bytes.length }] : [];
      });
      return send(200, { manifests });
    }
    if (kind === "manifests" && method === "PUT") {
      const bytes = await buffer(request);
      const {
        config,
        layers = [],
        manifests = [],
      } = JSON.parse(String(bytes)) as {
        config?: { digest: string };
        layers?: Array<{ digest: string }>;
        manifests?: Array<{ digest: string }>;
      };
      const lacks = [
        ...[...(config ? [config] : []), ...layers].filter(({ digest }) => !found.blobs.has(digest)),
        ...manifests.filter(({ digest }) => !found.manifests.has(digest) && !found.blobs.has(digest)),
      ];
      if (lacks.length > 0) return send(400, { errors: [{ code: "MANIFEST_BLOB_UNKNOWN" }] });
      const digest = digestOf(bytes);
      found.manifests.set(digest, { bytes, mediaType: request.headers["content-type"] ?? "" });
      if (!reference.startsWith("sha256:")) found.tags.set(reference, digest);
      return send(201);
    }
    if (kind === "manifests") {
      const digest = found.tags.get(reference) ?? reference;
      const stored = found.manifests.get(digest);
      if (!stored) return send(404);
      return send(200, stored.bytes, { "content-type": stored.mediaType, "docker-content-digest": digest });
    }
    if (kind === "blobs" && reference.startsWith("uploads/")) {
      if (method === "POST") {
        const mount = searchParams.get("mount");
        const other = mount && this.repositories.get(searchParams.get("from") ?? "")?.blobs.get(mount);
        if (other) found.blobs.set(mount, other);
        return send(
          other ? 201 : 202,
          {},
          { location: `/v2/${name}/blobs/uploads/${randomUUID()}?_state=x` },
        );
      }
      const bytes = await buffer(request);
      if (digestOf(bytes) !== searchParams.get("digest")) return send(400);
      found.blobs.set(digestOf(bytes), bytes);
      return send(201);
    }
    return this.sendBlob(found.blobs.get(reference), request, response, send);
  }

  private sendBlob(
    bytes: Buffer | undefined,
    request: IncomingMessage,
    response: ServerResponse,
    send: (status: number, body?: Buffer | object, headers?: Record<string, string>) => unknown,
  ): unknown {
    if (!bytes) return send(404);
    const start = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (start > 0 && start >= bytes.length) return send(416);
    const rest = bytes.subarray(start);
    const stop = request.method === "GET" ? this.breaks.shift() : undefined;
    if (stop === undefined || stop >= rest.length) return send(start > 0 ? 206 : 200, rest);
    response.writeHead(start > 0 ? 206 : 200, { "content-length": String(rest.length) });
    return response.write(rest.subarray(0, stop), () => setTimeout(() => response.destroy(), 20));
  }
}
