import type { Config } from "../config/resolve.js";
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
 * Traefik's labels for one route, in the spelling of the configured line.
 * Sources: Traefik's documentation, "Swarm" provider and routing (v3), "Docker" provider with swarmMode (v2), and the
 * v2-to-v3 migration page: v3 reads traefik.swarm.*, v2 reads traefik.docker.*; neither reads the other's.
 */
export function traefikLabels(config: Config, route: Route): Record<string, string> {
  const { traefik } = config;
  const provider = traefik.version === 2 ? "docker" : "swarm";
  const router = `traefik.http.routers.${route.name}`;
  const service = `traefik.http.services.${route.name}.loadbalancer`;
  const forwardAuth = route.sso ? forwardAuthOf(config, provider) : undefined;
  const middlewares = [...traefik.middlewares, ...(forwardAuth ? [forwardAuth.reference] : [])];
  return {
    "traefik.enable": "true",
    [`traefik.${provider}.network`]: traefik.network,
    ...(config.swarm.endpointMode === "vip" ? { [`traefik.${provider}.lbswarm`]: "true" } : {}),
    [`${router}.rule`]: rule(route),
    [`${router}.entrypoints`]: traefik.entrypoint,
    [`${router}.tls`]: "true",
    ...(traefik.certResolver ? { [`${router}.tls.certresolver`]: traefik.certResolver } : {}),
    ...(middlewares.length > 0 ? { [`${router}.middlewares`]: middlewares.join(",") } : {}),
    [`${router}.service`]: route.name,
    [`${service}.server.port`]: String(route.port),
    // Without IPVS Traefik talks to the tasks themselves and has to notice by itself which of them answer.
    ...(config.swarm.endpointMode === "dnsrr"
      ? {
          [`${service}.healthcheck.path`]: route.healthPath,
          [`${service}.healthcheck.interval`]: "5s",
          [`${service}.healthcheck.timeout`]: "3s",
        }
      : {}),
    ...(forwardAuth?.labels ?? {}),
  };
}

/** One matcher a value, joined with ||: the only form that both lines of Traefik read alike. */
function rule({ host, methods }: Route): string {
  const hostRule = `Host(\`${host}\`)`;
  if (!methods) return hostRule;
  return `${hostRule} && (${methods.map((method) => `Method(\`${method}\`)`).join(" || ")})`;
}

function forwardAuthOf(
  config: Config,
  provider: string,
): { reference: string; labels?: Record<string, string> } {
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
