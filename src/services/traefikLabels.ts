import type { Config } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { AUTHELIA_RESPONSE_HEADERS } from "./authelia.js";

/** A router with its service, for one host. */
export interface Route {
  /** Router and service name; global in a Traefik, so it carries the stack's name. */
  name: string;
  host: string;
  /** Port that the task listens on. */
  port: number;
  /** Path that answers 200 without a login. */
  healthPath: string;
  /** The only methods that pass; all, when left out. */
  methods?: readonly string[];
  /** Whether Authelia judges every request. */
  sso?: boolean;
}

/**
 * Traefik's labels for one route, in the spelling of the configured line. Sources: Traefik's documentation,
 * "Swarm" provider and routing (v3), "Docker" provider with swarmMode (v2), and the v2-to-v3 migration page:
 * v3 reads traefik.swarm.*, v2 reads traefik.docker.*; neither reads the other's.
 */
export function traefikLabels(config: Config, route: Route): Record<string, string> {
  const { traefik } = config;
  const provider = providerOf(config);
  const router = `traefik.http.routers.${route.name}`;
  const service = `traefik.http.services.${route.name}.loadbalancer`;
  const forwardAuth = route.sso ? forwardAuthOf(config, provider) : undefined;
  const beforeAuth = route.sso ? beforeAuthOf(config, provider) : undefined;
  const middlewares = [
    ...traefik.middlewares,
    ...(beforeAuth ? [beforeAuth.reference] : []),
    ...(forwardAuth ? [forwardAuth.reference] : []),
  ];
  return {
    "traefik.enable": "true",
    [`traefik.${provider}.network`]: traefik.network,
    ...(config.swarm.endpointMode === "vip" ? { [`traefik.${provider}.lbswarm`]: "true" } : {}),
    [`${router}.rule`]: rule(route),
    [`${router}.entrypoints`]: traefik.entrypoint,
    ...(traefik.tls ? { [`${router}.tls`]: "true" } : {}),
    ...(traefik.certResolver ? { [`${router}.tls.certresolver`]: traefik.certResolver } : {}),
    ...(middlewares.length > 0 ? { [`${router}.middlewares`]: middlewares.join(",") } : {}),
    [`${router}.service`]: route.name,
    [`${service}.server.port`]: String(route.port),
    // Without IPVS Traefik talks to the tasks themselves and has to notice by itself which of them answer.
    ...(config.swarm.endpointMode === "dnsrr"
      ? {
          [`${service}.healthcheck.path`]: route.healthPath,
          [`${service}.healthcheck.interval`]: config.swarm.probe,
          // Traefik 2 warns of one that is not shorter.
          [`${service}.healthcheck.timeout`]: `${Math.min(3, (secondsOf(config.swarm.probe) * 3) / 5)}s`,
        }
      : {}),
    ...(beforeAuth?.labels ?? {}),
    ...(forwardAuth?.labels ?? {}),
    ...Object.fromEntries(
      Object.entries(traefik.routerLabels).map(([key, value]) => [`${router}.${key}`, value]),
    ),
    ...traefik.labels,
  };
}

/** One matcher a value, joined with ||: the only form that both lines of Traefik read alike. */
function rule({ host, methods }: Route): string {
  const hostRule = `Host(\`${host}\`)`;
  if (!methods) return hostRule;
  return `${hostRule} && (${methods.map((method) => `Method(\`${method}\`)`).join(" || ")})`;
}

/** A middleware, as a router names it, with the labels that define it where they are ours. */
interface Middleware {
  reference: string;
  labels?: Record<string, string>;
}

/**
 * The headers of a request before Authelia judges it. The name of a user is Authelia's alone: a middleware
 * that does not hand it on would let through what a client says. And by default Traefik tells Authelia http
 * where its entrypoint has no TLS, and Authelia sends nobody back to an http address. Source:
 * traefik/traefik, pkg/middlewares/auth/forward.go (writeHeader) takes the request's own X-Forwarded-Proto
 * with trustForwardHeader, which Authelia's documentation asks for.
 */
function beforeAuthOf({ stack, traefik }: Config, provider: string): Middleware {
  const name = `${stack}-before-auth`;
  const headers = `traefik.http.middlewares.${name}.headers.customrequestheaders`;
  return {
    reference: `${name}@${provider}`,
    labels: {
      [`${headers}.Remote-User`]: "",
      ...(traefik.tls ? {} : { [`${headers}.X-Forwarded-Proto`]: "https" }),
    },
  };
}

function forwardAuthOf(config: Config, provider: string): Middleware {
  const { middleware } = config.authelia;
  if (!/^https?:/.test(middleware)) return { reference: middleware };
  const name = `${config.stack}-authelia`;
  const labels = `traefik.http.middlewares.${name}.forwardauth`;
  return {
    reference: `${name}@${provider}`,
    labels: {
      [`${labels}.address`]: middleware,
      [`${labels}.trustForwardHeader`]: "true",
      [`${labels}.authResponseHeaders`]: AUTHELIA_RESPONSE_HEADERS.join(","),
    },
  };
}

/** A router as labels define it. */
export interface Router {
  /** Without its provider: the labels' own. */
  name: string;
  rule: string;
  /** Empty where the labels name none: then it is on all that Traefik has by default. */
  entrypoints: string[];
  middlewares: string[];
}

/** The routers that labels define, of this stack or of any other service. */
export function routersIn(labels: Readonly<Record<string, string>>): Router[] {
  return Object.entries(labels).flatMap(([label, rule]) => {
    // Traefik reads labels without regard to case.
    const name = /^traefik\.http\.routers\.([^.]+)\.rule$/i.exec(label)?.[1];
    if (name === undefined) return [];
    const list = (key: string) =>
      (labels[`traefik.http.routers.${name}.${key}`] ?? "").split(",").filter(Boolean);
    return [{ name, rule, entrypoints: list("entrypoints"), middlewares: list("middlewares") }];
  });
}

/** The host names that a rule asks for: those of Host(), in the spelling of both lines. */
export function hostsOf(rule: string): string[] {
  return [...rule.matchAll(/\bHost\(([^)]*)\)/g)].flatMap(([, names = ""]) =>
    [...names.matchAll(/[`"]([^`"]+)[`"]/g)].map(([, host = ""]) => host.toLowerCase()),
  );
}

/** What Traefik puts behind the names of what labels define. */
export const providerOf = (config: Config): "docker" | "swarm" =>
  config.traefik.version === 2 ? "docker" : "swarm";
