import type { Config } from "../config/resolve.js";
import {
  goSeconds,
  type TraefikEntrypoint,
  type TraefikMiddleware,
  type TraefikRouter,
} from "../frontdoor/traefikApi.js";
import { routersOf } from "../stack/model.js";
import { hostsOf, providerOf } from "../stack/traefik.js";
import { error, type Finding, warning } from "./finding.js";

/** What Traefik's API told. */
export interface TraefikFacts {
  routers: readonly TraefikRouter[];
  /** Those that our routers name, undefined where Traefik has none of that name. */
  middlewares: ReadonlyMap<string, TraefikMiddleware | undefined>;
  entrypoint: TraefikEntrypoint | undefined;
}

/** A layer of some gigabytes over a line of a few megabytes a second. */
const LEAST_READ_SECONDS = 600;

/** Names of the middlewares that the stack's routers have, with their providers. */
export const middlewareNames = (config: Config): string[] => [
  ...new Set(
    routersOf(config).flatMap(({ middlewares }) =>
      middlewares.map((name) => (name.includes("@") ? name : `${name}@${providerOf(config)}`)),
    ),
  ),
];

/** An API that did not answer, or is none. */
export function judgeUnreachable(api: string | undefined, cause: unknown): Finding {
  const { code } = ((cause as Error).cause ?? {}) as { code?: string };
  return warning(
    "traefik-unreachable",
    "Traefik's API could not be asked",
    `${api}: ${code ?? (cause as Error).message}`,
    "See that traefik.api is its address as seen from here, without a login; or take the key out.",
  );
}

/** What Traefik made of the stack's labels. */
export function judgeTraefik(config: Config, facts: TraefikFacts): Finding[] {
  const findings = routersOf(config).flatMap(({ name }) => judgeRouter(config, name, facts.routers));
  const own = new Set(routersOf(config).map(({ name }) => `${name}@${providerOf(config)}`));
  for (const { name, rule } of routersOf(config)) {
    for (const host of hostsOf(rule)) {
      const twins = facts.routers.filter(
        (router) =>
          !own.has(router.name) &&
          hostsOf(router.rule ?? "").includes(host) &&
          (router.using ?? router.entryPoints ?? []).includes(config.traefik.entrypoint),
      );
      for (const twin of twins) findings.push(hostTwice(name, host, `router ${twin.name}: ${twin.rule}`));
    }
  }
  for (const [name, middleware] of facts.middlewares) findings.push(...judgeMiddleware(name, middleware));
  return [...findings, ...judgeEntrypoint(config.traefik.entrypoint, facts.entrypoint)];
}

/** A host that somebody else claims too. */
export const hostTwice = (name: string, host: string, evidence: string): Finding =>
  warning(
    "host-claimed-twice",
    `somebody else claims ${host}, the host of ${name}`,
    evidence,
    "Give one of them another host: Traefik takes the longer rule, so requests may go to a stranger.",
  );

function judgeRouter(config: Config, name: string, routers: readonly TraefikRouter[]): Finding[] {
  const wanted = `${name}@${providerOf(config)}`;
  const router = routers.find((candidate) => candidate.name === wanted);
  if (!router) {
    const other = routers.find((candidate) => candidate.name.startsWith(`${name}@`));
    return [
      error(
        "router-missing",
        `Traefik does not see the router ${wanted}`,
        other ? `it has ${other.name} instead` : `it has ${routers.length} routers, and none of that name`,
        other
          ? "Set traefik.version to the line of your Traefik."
          : `See that its ${providerOf(config)} provider runs for this Swarm and may use ${config.traefik.network}, and that the service runs.`,
      ),
    ];
  }
  const findings: Finding[] = [];
  const faults = router.error ?? [];
  if (router.status !== "enabled" || faults.length > 0) {
    findings.push({
      ...error(
        "router-refused",
        `Traefik does not take the router ${wanted} as it is`,
        `status ${router.status}${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`,
        "Mend what it says, in hephaestus.yaml or in Traefik's own configuration.",
      ),
      severity: router.status === "warning" ? "warning" : "error",
    });
  }
  const { entrypoint } = config.traefik;
  const on = router.using ?? router.entryPoints ?? [];
  if (!on.includes(entrypoint)) {
    findings.push(
      error(
        "router-wrong-entrypoint",
        `the router ${wanted} is not on the entrypoint ${entrypoint}`,
        `it is on ${on.join(", ") || "none"}`,
        "Run hephaestus deploy; or set traefik.entrypoint to one that Traefik has.",
      ),
    );
  }
  return findings;
}

function judgeMiddleware(name: string, middleware: TraefikMiddleware | undefined): Finding[] {
  if (!middleware) {
    return [
      error(
        "middleware-missing",
        `Traefik has no middleware ${name}, so it serves none of the routers that name it`,
        `/api/http/middlewares/${name} answered 404`,
        "Set authelia.middleware (or traefik.middlewares) to its name in Traefik, with the provider that defines it behind @.",
      ),
    ];
  }
  if (middleware.status === "enabled" && !middleware.error?.length) return [];
  return [
    error(
      "middleware-refused",
      `Traefik does not take the middleware ${name} as it is`,
      `status ${middleware.status}: ${middleware.error?.join("; ") ?? ""}`,
      "Mend what it says in the configuration that defines it.",
    ),
  ];
}

function judgeEntrypoint(name: string, entrypoint: TraefikEntrypoint | undefined): Finding[] {
  if (!entrypoint) {
    return [
      error(
        "entrypoint-missing",
        `Traefik has no entrypoint ${name}`,
        `/api/entrypoints/${name} answered 404`,
        `Set traefik.entrypoint to one that it has, or give Traefik: --entryPoints.${name}.address=:443`,
      ),
    ];
  }
  const text = entrypoint.transport?.respondingTimeouts?.readTimeout;
  const seconds = text === undefined ? 0 : goSeconds(text);
  // 0 is no limit.
  if (seconds === undefined || seconds === 0 || seconds >= LEAST_READ_SECONDS) return [];
  return [
    warning(
      "read-timeout-short",
      `Traefik cuts every upload that takes longer than ${seconds} seconds: large layers fail`,
      `entrypoint ${name}: transport.respondingTimeouts.readTimeout is ${text}`,
      `Start Traefik with: --entryPoints.${name}.transport.respondingTimeouts.readTimeout=15m`,
    ),
  ];
}
