import { goNanoseconds } from "../swarm/goDuration.js";

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
}

const TIMEOUT_MILLISECONDS = 10_000;

/** More pages than any Traefik has, of 100 each. */
const MOST_PAGES = 1000;

export class TraefikApi {
  /** @param url where the API is, without /api */
  constructor(private readonly url: string) {}

  /** All HTTP routers. Each page names the next in a header; the last one names the first. */
  async routers(): Promise<TraefikRouter[]> {
    const routers: TraefikRouter[] = [];
    for (let page = 1; page <= MOST_PAGES; ) {
      const response = await this.ask(`/api/http/routers?page=${page}&per_page=100`);
      routers.push(...((await this.right(response).json()) as TraefikRouter[]));
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

  private async one<T>(path: string): Promise<T | undefined> {
    const response = await this.ask(path);
    // The API's own 404 is JSON with a message; another one means that this is no API of Traefik.
    if (response.status === 404 && /"message"/.test(await response.text())) return undefined;
    return (await this.right(response).json()) as T;
  }

  private ask(path: string): Promise<Response> {
    return fetch(`${this.url.replace(/\/$/, "")}${path}`, {
      redirect: "manual",
      signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
    });
  }

  private right(response: Response): Response {
    if (response.status === 200) return response;
    throw new Error(`${response.url} answered ${response.status}`);
  }
}

/**
 * A duration as Traefik writes it ("1m0s", "60000000000ns"; a bare number is of seconds), in seconds.
 *
 * @returns undefined where it is none
 */
export function goSeconds(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const nanoseconds = goNanoseconds(text);
  return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
}
