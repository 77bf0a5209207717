import { z } from "zod";
import type { Config } from "../config/resolve.js";
import { readJson } from "../json.js";
import { providerOf } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";

/**
 * Traefik's API, as far as it is read here. Source: traefik/traefik, pkg/api and pkg/config/runtime; lines 2
 * and 3 answer alike.
 */

const routerSchema = z.object({
  /** With its provider: forge-registry@swarm. */
  name: z.string(),
  entryPoints: z.array(z.string()).optional(),
  /** The entrypoints that it really has. */
  using: z.array(z.string()).optional(),
  status: z.string().optional(),
  error: z.array(z.string()).optional(),
});

/** Zero values are left out. */
const entrypointSchema = z.object({
  name: z.string(),
  transport: z
    .object({ respondingTimeouts: z.object({ readTimeout: z.string().optional() }).optional() })
    .optional(),
});

const middlewareSchema = z.object({ name: z.string() });

const versionSchema = z.object({ Version: z.string() });

/**
 * Answers of the API of Traefik, and the oldest API that the engine speaks. What is not known is left out.
 */
export interface TraefikFacts {
  routers: readonly z.infer<typeof routerSchema>[];
  /** Those that our routers name, and Traefik does not have. */
  missingMiddlewares: readonly string[];
  entrypoint: z.infer<typeof entrypointSchema> | undefined;
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

/**
 * Asks the API that the config names.
 *
 * @throws Error if it does not answer, or is no API of Traefik
 */
export async function readTraefik(config: Config): Promise<TraefikFacts> {
  const url = (config.traefik.api ?? "").replace(/\/$/, "");
  const { Version } = await ask(url, "/api/version", versionSchema);
  const list = <T>(path: string, entry: z.ZodType<T>) => ask(url, `${path}${ALL}`, z.array(entry));
  const middlewares = (await list("/api/http/middlewares", middlewareSchema)).map(({ name }) => name);
  const entrypoints = await list("/api/entrypoints", entrypointSchema);
  return {
    routers: await list("/api/http/routers", routerSchema),
    missingMiddlewares: middlewareNames(config).filter((name) => !middlewares.includes(name)),
    entrypoint: entrypoints.find(({ name }) => name === config.traefik.entrypoint),
    version: Version.replace(/^v/, ""),
  };
}

const TIMEOUT_MILLISECONDS = 10_000;

/** A page may be of any size. Source: traefik/traefik, pkg/api/criterion.go. */
const ALL = "?per_page=100000";

async function ask<T>(url: string, path: string, schema: z.ZodType<T>): Promise<T> {
  const response = await fetch(`${url}${path}`, {
    redirect: "manual",
    signal: AbortSignal.timeout(TIMEOUT_MILLISECONDS),
  });
  if (response.status !== 200) throw new Error(`${response.url} answered ${response.status}`);
  const answer = readJson(schema, await response.text());
  if (answer === undefined) throw new Error(`${response.url} does not answer as Traefik's API does`);
  return answer;
}
