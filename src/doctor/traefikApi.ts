import { gunzipSync } from "node:zlib";

/**
 * Traefik's API, as far as it is read here. Source: traefik/traefik, pkg/api (handler_http.go, handler_entrypoint.go,
 * criterion.go) and pkg/config/runtime; lines 2 and 3 answer alike.
 */

export interface TraefikRouter {
  /** With its provider: forge-registry@swarm. */
  name: string;
  rule?: string;
  entryPoints?: string[];
  /** The entrypoints that it really has. */
  using?: string[];
  status?: string;
  error?: string[];
}

export interface TraefikMiddleware {
  name: string;
  status?: string;
  type?: string;
  error?: string[];
}

export interface TraefikEntrypoint {
  name: string;
  address?: string;
  /** Zero values are left out. */
  transport?: { respondingTimeouts?: { readTimeout?: string } };
  forwardedHeaders?: { insecure?: boolean; trustedIPs?: string[] };
  http?: {
    maxHeaderBytes?: number;
    tls?: unknown;
    redirections?: { entryPoint?: { to?: string } };
  };
}

/** The parts of the static configuration that decide which services get routers. */
export interface TraefikStaticConfiguration {
  providers?: Partial<Record<"docker" | "swarm", { constraints?: string; exposedByDefault?: boolean }>>;
}

const TIMEOUT_MILLISECONDS = 10_000;

/** More pages than any Traefik has, of 100 each. */
const MOST_PAGES = 1000;

/** Bytes of a support dump, unpacked. */
const LARGEST_DUMP = 64 * 1024 * 1024;

export class TraefikApi {
  /** @param url where the API is, without /api */
  constructor(private readonly url: string) {}

  /** All HTTP routers. Each page names the next in a header; the last one names the first. */
  async routers(): Promise<TraefikRouter[]> {
    const routers: TraefikRouter[] = [];
    for (let page = 1; page <= MOST_PAGES; ) {
      const response = await this.ask(`/api/http/routers?page=${page}&per_page=100`);
      routers.push(...((await this.expectOk(response).json()) as TraefikRouter[]));
      const next = Number(response.headers.get("x-next-page") ?? 1);
      if (!(next > page)) break;
      page = next;
    }
    return routers;
  }

  /** @param name with its provider; it goes as it is, since older versions do not decode an @ */
  middleware(name: string): Promise<TraefikMiddleware | undefined> {
    return this.one<TraefikMiddleware>(`/api/http/middlewares/${name}`);
  }

  entrypoint(name: string): Promise<TraefikEntrypoint | undefined> {
    return this.one<TraefikEntrypoint>(`/api/entrypoints/${name}`);
  }

  /** Such as 3.5.0; undefined where the API does not tell. */
  async version(): Promise<string | undefined> {
    const version = await this.optional<{ Version?: string }>("/api/version");
    return version?.Version?.replace(/^v/, "");
  }

  /** Names of the providers that run, such as Swarm; undefined where the API does not tell. */
  async providers(): Promise<string[] | undefined> {
    return (await this.optional<{ providers?: string[] }>("/api/overview"))?.providers;
  }

  /**
   * The static configuration out of the support dump, which Traefik itself clears of secrets.
   *
   * @returns undefined where there is none: line 2 and older ones of line 3
   */
  async staticConfiguration(): Promise<TraefikStaticConfiguration | undefined> {
    const response = await this.ask("/api/support-dump");
    if (response.status !== 200) return undefined;
    const packed = Buffer.from(await response.arrayBuffer());
    const text = memberOf(gunzipSync(packed, { maxOutputLength: LARGEST_DUMP }), "static-config.json");
    return text === undefined ? undefined : (JSON.parse(text) as TraefikStaticConfiguration);
  }

  private async optional<T>(path: string): Promise<T | undefined> {
    const response = await this.ask(path);
    return response.status === 200 ? ((await response.json()) as T) : undefined;
  }

  private async one<T>(path: string): Promise<T | undefined> {
    const response = await this.ask(path);
    // The API's own 404 is JSON with a message; another one means that this is no API of Traefik.
    if (response.status === 404 && /"message"/.test(await response.text())) return undefined;
    return (await this.expectOk(response).json()) as T;
  }

  private ask(path: string): Promise<Response> {
    return fetch(`${this.url.replace(/\/$/, "")}${path}`, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
  }

  private expectOk(response: Response): Response {
    if (response.status === 200) return response;
    throw new Error(`${response.url} answered ${response.status}`);
  }
}

/** A file of a tar archive by its name (POSIX.1-1988, ustar: blocks of 512 bytes, sizes in octal). */
function memberOf(archive: Buffer, wanted: string): string | undefined {
  for (let at = 0; at + 512 <= archive.length; ) {
    const name = archive.toString("utf8", at, at + 100).replace(/\0.*$/s, "");
    const size = Number.parseInt(archive.toString("ascii", at + 124, at + 136), 8) || 0;
    if (name === wanted) return archive.toString("utf8", at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  return undefined;
}
