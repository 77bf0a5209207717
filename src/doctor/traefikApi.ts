import type { Config } from "../config/resolve.js";
import { providerOf } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";

/**
 * Traefik's API, as far as it is read here. Source: traefik/traefik, pkg/api (handler_http.go, handler_entrypoint.go,
 * criterion.go) and pkg/config/runtime; lines 2 and 3 answer alike.
 */

export interface TraefikRouter {
  /** With its provider: forge-registry@swarm. */
  name: string;
  entryPoints?: string[];
  /** The entrypoints that it really has. */
  using?: string[];
  status?: string;
  error?: string[];
}

/** Zero values are left out. */
export interface TraefikEntrypoint {
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
      routers.push(...((await this.expectOk(response).json()) as TraefikRouter[]));
      const next = Number(response.headers.get("x-next-page") ?? 1);
      if (!(next > page)) break;
      page = next;
    }
    return routers;
  }

  /** @param name with its provider; it goes as it is, since older versions do not decode an @ */
  async hasMiddleware(name: string): Promise<boolean> {
    return (await this.one(`/api/http/middlewares/${name}`)) !== undefined;
  }

  entrypoint(name: string): Promise<TraefikEntrypoint | undefined> {
    return this.one<TraefikEntrypoint>(`/api/entrypoints/${name}`);
  }

  /** Such as 3.5.0. */
  async version(): Promise<string | undefined> {
    return (await this.one<{ Version: string }>("/api/version"))?.Version.replace(/^v/, "");
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

/** Answers of the API of Traefik, and the oldest API that the engine speaks. What is not known is left out. */
export interface TraefikFacts {
  routers: readonly TraefikRouter[];
  /** Those that our routers name, and Traefik does not have. */
  missingMiddlewares: readonly string[];
  entrypoint: TraefikEntrypoint | undefined;
  version?: string | undefined;
  minApiVersion?: string | undefined;
}

/** Names of the middlewares that the stack's routers have, with their providers. */
export const middlewareNames = (config: Config): string[] => [
  ...new Set(
    routersOf(config).flatMap(({ middlewares }) =>
      middlewares.map((name) => (name.includes("@") ? name : `${name}@${providerOf(config)}`)),
    ),
  ),
];

/** Asks the API that the config names. */
export async function readTraefik(config: Config): Promise<TraefikFacts> {
  const api = new TraefikApi(config.traefik.api ?? "");
  const names = middlewareNames(config);
  const isThere = await Promise.all(names.map((name) => api.hasMiddleware(name)));
  return {
    routers: await api.routers(),
    missingMiddlewares: names.filter((_, index) => !isThere[index]),
    entrypoint: await api.entrypoint(config.traefik.entrypoint),
    version: await api.version(),
  };
}
