import type { Config } from "../config/resolve.js";
import {
  goSeconds,
  isOlder,
  judgeReadSeconds,
  PROVIDER_FLAGS,
  providerKey,
} from "../operation/traefikService.js";
import { providerOf } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import type { Check } from "./check.js";
import { error, type Finding, warning } from "./finding.js";
import type { TraefikEntrypoint } from "./traefikApi.js";
import type { TraefikFacts } from "./traefikFacts.js";

/** From here on line 3 reads traefik.swarm.network. Source: traefik/traefik, CHANGELOG. */
const READS_OUR_LABELS = "3.2.2";

/** Older ones ask for this API, whatever the engine speaks; Docker 29 refuses it. Source: traefik/traefik#12253. */
const OLD_API = "1.24";
const ASKS_FOR_A_NEWER_API = { 2: "2.11.31", 3: "3.6.1" };

/** An API that did not answer, or is none. */
function judgeUnreachable(api: string | undefined, cause: unknown): Finding {
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
  return [
    ...routersOf(config).flatMap(({ name }) => judgeRouter(config, name, facts)),
    ...facts.missingMiddlewares.map((name) =>
      error(
        "middleware-missing",
        `Traefik has no middleware ${name}, so it serves none of the routers that name it`,
        `/api/http/middlewares/${name} answered 404`,
        "Set authelia.middleware (or traefik.middlewares) to its name in Traefik, followed by @ and the provider that defines it.",
      ),
    ),
    ...judgeAge(facts.version, facts.minApiVersion, `/api/version answered ${facts.version}`),
    ...judgeEntrypoint(config, facts.entrypoint),
  ];
}

/**
 * A Traefik that is too old for the engine, or for our labels.
 *
 * @param minApiVersion the oldest API that the engine speaks
 */
export function judgeAge(
  version: string | undefined,
  minApiVersion: string | undefined,
  evidence: string,
): Finding[] {
  if (version === undefined) return [];
  const line = version.startsWith("2.") ? 2 : 3;
  const needed = ASKS_FOR_A_NEWER_API[line];
  if (minApiVersion !== undefined && isOlder(OLD_API, minApiVersion) && isOlder(version, needed)) {
    const message = `Docker refuses Traefik ${version}, which then sees no service: every route answers 404`;
    const both = `${evidence}; it asks for API ${OLD_API}, and the engine speaks ${minApiVersion} and newer`;
    return [error("traefik-old", message, both, `Update Traefik to ${needed} or newer.`)];
  }
  if (line === 2 || !isOlder(version, READS_OUR_LABELS)) return [];
  const message = `Traefik ${version} does not read the labels traefik.swarm.network and traefik.swarm.lbswarm`;
  return [warning("traefik-old", message, evidence, `Update Traefik to ${READS_OUR_LABELS} or newer.`)];
}

function judgeRouter(config: Config, name: string, facts: TraefikFacts): Finding[] {
  const wanted = `${name}@${providerOf(config)}`;
  const router = facts.routers.find((candidate) => candidate.name === wanted);
  if (!router)
    return [
      error(
        "router-missing",
        `Traefik does not see the router ${wanted}`,
        ...whyMissing(config, name, facts),
      ),
    ];
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

/** Why Traefik has no router of a name, as far as its API shows: the evidence and the remedy. */
function whyMissing(
  config: Config,
  name: string,
  { routers, version = "" }: TraefikFacts,
): [evidence: string, remedy: string] {
  const line = config.traefik.version;
  const other = routers.find((candidate) => candidate.name.startsWith(`${name}@`));
  if (other || (/^[23]\./.test(version) && !version.startsWith(`${line}.`)))
    return [
      other ? `it has ${other.name} instead` : `it is Traefik ${version}`,
      `Set traefik.version: ${line === 2 ? 3 : 2}, the line of your Traefik.`,
    ];
  return [
    "its API does not say why",
    `See that a task of the service runs (hephaestus status), and that Traefik runs on a manager with ${PROVIDER_FLAGS[line]} and Docker's socket. If it has ${providerKey(config)}.constraints, put the label that they ask for under traefik.labels.`,
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
  const timeout = entrypoint.transport?.respondingTimeouts?.readTimeout ?? "0";
  const evidence = `entrypoint ${name}: transport.respondingTimeouts.readTimeout is ${timeout}`;
  const cut = judgeReadSeconds(config, goSeconds(timeout), evidence);
  return cut ? [cut] : [];
}

export const traefikCheck: Check = {
  id: "traefik",
  title: "routers, middlewares and entrypoint of Traefik",
  theme: "Traefik",
  applies: ({ expose, traefik }) => expose === "traefik" && traefik.api !== undefined,
  run: async ({ config, traefik, swarm }) => {
    // Its API can also be asked if Docker does not answer.
    const minApiVersion = await swarm().then(
      (facts) => facts.minApiVersion,
      () => undefined,
    );
    return judgeTraefik(config, { ...(await traefik()), minApiVersion });
  },
  failed: (cause, { config }) => judgeUnreachable(config.traefik.api, cause),
};
