import type { Config } from "../config/resolve.js";
import { providerOf } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import { TraefikApi, type TraefikEntrypoint, type TraefikRouter } from "./traefikApi.js";

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
