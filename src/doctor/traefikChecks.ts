import type { Config } from "../config/resolve.js";
import type { SwarmService } from "../docker/objects.js";
import { goSeconds, judgeReadSeconds } from "../operation/traefikService.js";
import { hostsOf, providerOf, routersIn } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import type { Check } from "./check.js";
import type { Labels } from "./constraint.js";
import { error, type Finding, warning } from "./finding.js";
import type {
  TraefikEntrypoint,
  TraefikMiddleware,
  TraefikRouter,
  TraefikStaticConfiguration,
} from "./traefikApi.js";
import { whyUnseen } from "./unseenRouter.js";

/** Answers of the API of Traefik. */
export interface TraefikFacts {
  routers: readonly TraefikRouter[];
  /** Those that our routers name, undefined where Traefik has none of that name. */
  middlewares: ReadonlyMap<string, TraefikMiddleware | undefined>;
  entrypoint: TraefikEntrypoint | undefined;
  /** What is not known is left out: older lines tell less. */
  version?: string | undefined;
  providers?: readonly string[] | undefined;
  staticConfiguration?: TraefikStaticConfiguration | undefined;
  /** Of the running services, by the names of our routers. */
  labels?: ReadonlyMap<string, Labels>;
}

/** From here on line 3 reads traefik.swarm.network. Source: traefik/traefik, CHANGELOG. */
const OLDEST_LINE_3 = [3, 2, 2] as const;

/** Names of the middlewares that the stack's routers have, with their providers. */
export const middlewareNames = (config: Config): string[] => [
  ...new Set(
    routersOf(config).flatMap(({ middlewares }) =>
      middlewares.map((name) => (name.includes("@") ? name : `${name}@${providerOf(config)}`)),
    ),
  ),
];

/** Names of our routers that Traefik does not have. */
export const missingRouters = (config: Config, routers: readonly TraefikRouter[]): string[] =>
  routersOf(config)
    .map(({ name }) => name)
    .filter((name) => !routers.some((router) => router.name === `${name}@${providerOf(config)}`));

/** The labels of services, by the routers that they define. */
export const routerLabels = (services: readonly SwarmService[]): Map<string, Labels> =>
  new Map(
    services.flatMap(({ Spec: { Labels = {} } }) =>
      routersIn(Labels).map(({ name }): [string, Labels] => [name, Labels]),
    ),
  );

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
  const findings = routersOf(config).flatMap(({ name }) => judgeRouter(config, name, facts));
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
  return [...findings, ...judgeVersion(config, facts.version), ...judgeEntrypoint(config, facts.entrypoint)];
}

/** A host that another router claims too. */
export const hostTwice = (name: string, host: string, evidence: string): Finding =>
  warning(
    "host-claimed-twice",
    `another router claims ${host}, the host of ${name}`,
    evidence,
    "Give one of them another host: Traefik takes the longer rule, so requests may go to a stranger.",
  );

/** Line 3 before 3.2.2 ignores the network that its labels name, and answers 504 or 404 for it. */
function judgeVersion(config: Config, version: string | undefined): Finding[] {
  const parts = version?.split(/[.-]/).slice(0, 3).map(Number) ?? [];
  const [index] = OLDEST_LINE_3.flatMap((least, place) => (parts[place] === least ? [] : [place]));
  const isOld = index !== undefined && (parts[index] ?? Number.NaN) < (OLDEST_LINE_3[index] ?? 0);
  if (config.traefik.version !== 3 || !isOld || parts[0] !== 3) return [];
  return [
    warning(
      "traefik-old",
      `Traefik ${version} does not read the labels traefik.swarm.network and traefik.swarm.lbswarm`,
      `/api/version answered ${version}`,
      `Update Traefik to ${OLDEST_LINE_3.join(".")} or newer.`,
    ),
  ];
}

function judgeRouter(config: Config, name: string, facts: TraefikFacts): Finding[] {
  const wanted = `${name}@${providerOf(config)}`;
  const router = facts.routers.find((candidate) => candidate.name === wanted);
  if (!router) {
    const { evidence, remedy } = whyUnseen(config, name, facts);
    return [error("router-missing", `Traefik does not see the router ${wanted}`, evidence, remedy)];
  }
  const findings: Finding[] = [];
  const faults = router.error ?? [];
  if (router.status !== "enabled" || faults.length > 0) {
    findings.push({
      ...error(
        "router-refused",
        `Traefik does not take the router ${wanted} as it is`,
        `status ${router.status}${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`,
        "Fix the reported problem in hephaestus.yaml or in the configuration of Traefik.",
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
      "Fix the reported problem in the configuration that defines it.",
    ),
  ];
}

function judgeEntrypoint(config: Config, entrypoint: TraefikEntrypoint | undefined): Finding[] {
  const { entrypoint: name, tls } = config.traefik;
  if (!entrypoint) {
    return [
      error(
        "entrypoint-missing",
        `Traefik has no entrypoint ${name}`,
        `/api/entrypoints/${name} answered 404`,
        `Set traefik.entrypoint to one that it has, or give Traefik: --entryPoints.${name}.address=:${tls ? 443 : 80}`,
      ),
    ];
  }
  // Zero values are left out.
  const timeout = entrypoint.transport?.respondingTimeouts?.readTimeout ?? "0";
  const cut = judgeReadSeconds(
    config,
    goSeconds(timeout),
    `entrypoint ${name}: transport.respondingTimeouts.readTimeout is ${timeout}`,
  );
  return [...(tls ? [] : judgePlainEntrypoint(name, entrypoint)), ...(cut ? [cut] : [])];
}

/** An entrypoint that a tunnel or a load balancer sends plain HTTP to. */
function judgePlainEntrypoint(name: string, { http, forwardedHeaders }: TraefikEntrypoint): Finding[] {
  const findings: Finding[] = [];
  if (http?.tls !== undefined) {
    findings.push(
      error(
        "entrypoint-has-tls",
        `the entrypoint ${name} has TLS, though by the config TLS ends before Traefik`,
        `/api/entrypoints/${name}: http.tls is set`,
        "Set traefik.tls: true, or traefik.entrypoint to one without TLS.",
      ),
    );
  }
  const target = http?.redirections?.entryPoint?.to;
  if (target !== undefined) {
    findings.push(
      error(
        "entrypoint-redirects",
        `the entrypoint ${name} sends every request to https again, so clients are sent around in a circle`,
        `/api/entrypoints/${name}: http.redirections.entryPoint.to is ${target}`,
        "Give the tunnel or load balancer an entrypoint of its own without a redirection, and set traefik.entrypoint.",
      ),
    );
  }
  if (!forwardedHeaders?.insecure && !forwardedHeaders?.trustedIPs?.length) {
    findings.push(
      warning(
        "clients-share-address",
        "Traefik takes the tunnel or load balancer for the client, so password guesses are counted for all clients together",
        `/api/entrypoints/${name}: forwardedHeaders trusts nobody`,
        `Start Traefik with: --entryPoints.${name}.forwardedHeaders.trustedIPs=<its address>`,
      ),
    );
  }
  return findings;
}

export const traefikCheck: Check = {
  id: "traefik",
  title: "routers, middlewares and entrypoint of Traefik",
  theme: "Traefik",
  applies: ({ expose, traefik }) => expose === "traefik" && traefik.api !== undefined,
  run: async ({ config, traefik }) => judgeTraefik(config, await traefik()),
  failed: (cause, { config }) => judgeUnreachable(config.traefik.api, cause),
};
