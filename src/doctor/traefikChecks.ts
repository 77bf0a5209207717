import type { Config } from "../config/resolve.js";
import { error, errorOrWarning, type Finding, findingKinds, warning } from "../finding.js";
import { providerOf } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import type { Checks } from "./check.js";
import type { TraefikFacts } from "./traefikApi.js";
import { PROVIDER_FLAGS, providerKey } from "./traefikOptions.js";
import { judgeAge } from "./traefikServiceChecks.js";
import { judgeReadTimeout } from "./traefikTimeout.js";

const kinds = findingKinds("Traefik", {
  "traefik-unreachable": warning(
    "Traefik's API could not be asked",
    "See that traefik.api is its address as seen from here, without a login; or take the key out.",
  ),
  "router-missing": error("Traefik does not see the router {router}", "{advice}", {
    remedy:
      "See that a task of the service runs, that traefik.version is the line of your Traefik, and that its provider and constraints take the stack's labels.",
  }),
  "router-refused": errorOrWarning(
    "Traefik does not take the router {router} as it is",
    "Fix the reported problem in hephaestus.yaml or in the configuration of Traefik.",
  ),
  "router-wrong-entrypoint": error(
    "the router {router} is not on the entrypoint {entrypoint}",
    "Run hephaestus deploy; or set traefik.entrypoint to one that Traefik has.",
  ),
  "middleware-missing": error(
    "Traefik has no middleware {name}, so it serves none of the routers that name it",
    "Set authelia.middleware (or traefik.middlewares) to its name in Traefik, followed by @ and the provider that defines it.",
  ),
  "entrypoint-missing": error(
    "Traefik has no entrypoint {name}",
    "Set traefik.entrypoint to one that it has, or give Traefik: --entryPoints.{name}.address=:{port}",
  ),
});
const { found } = kinds;

/** What Traefik made of the stack's labels. */
export function judgeTraefik(config: Config, facts: TraefikFacts): Finding[] {
  const { missingMiddlewares, version, minApiVersion } = facts;
  return [
    ...routersOf(config).flatMap(({ name }) => judgeRouter(config, name, facts)),
    ...missingMiddlewares.map((name) =>
      found("middleware-missing", { name }, "/api/http/middlewares does not list it"),
    ),
    ...judgeAge(version, minApiVersion, `/api/version answered ${version}`),
    ...judgeEntrypoint(config, facts),
  ];
}

function judgeRouter(config: Config, name: string, facts: TraefikFacts): Finding[] {
  const router = `${name}@${providerOf(config)}`;
  const seen = facts.routers.find((candidate) => candidate.name === router);
  if (!seen) {
    const { evidence, advice } = whyMissing(config, name, facts);
    return [found("router-missing", { router, advice }, evidence)];
  }
  const { status, error: faults = [], using, entryPoints } = seen;
  const findings: Finding[] = [];
  if (status !== "enabled" || faults.length > 0) {
    const evidence = `status ${status}${faults.length > 0 ? `: ${faults.join("; ")}` : ""}`;
    const severity = status === "warning" ? "warning" : "error";
    findings.push(found("router-refused", { router }, evidence, severity));
  }
  const { entrypoint } = config.traefik;
  const on = using ?? entryPoints ?? [];
  if (!on.includes(entrypoint)) {
    const evidence = `it is on ${on.join(", ") || "none"}`;
    findings.push(found("router-wrong-entrypoint", { router, entrypoint }, evidence));
  }
  return findings;
}

/** Why Traefik has no router of a name, as far as its API shows. */
function whyMissing(
  config: Config,
  name: string,
  { routers, version = "" }: TraefikFacts,
): { evidence: string; advice: string } {
  const line = config.traefik.version;
  const other = routers.find((candidate) => candidate.name.startsWith(`${name}@`));
  if (other || (/^[23]\./.test(version) && !version.startsWith(`${line}.`)))
    return {
      evidence: other ? `it has ${other.name} instead` : `it is Traefik ${version}`,
      advice: `Set traefik.version: ${line === 2 ? 3 : 2}, the line of your Traefik.`,
    };
  return {
    evidence: "its API does not say why",
    advice: `See that a task of the service runs (hephaestus status), and that Traefik runs on a manager with ${PROVIDER_FLAGS[line]} and Docker's socket. If it has ${providerKey(config)}.constraints, put the label that they ask for under traefik.labels.`,
  };
}

function judgeEntrypoint(config: Config, { entrypoint }: TraefikFacts): Finding[] {
  const { entrypoint: name, tls } = config.traefik;
  if (!entrypoint) {
    const evidence = "/api/entrypoints does not list it";
    return [found("entrypoint-missing", { name, port: tls ? 443 : 80 }, evidence)];
  }
  const timeout = entrypoint.transport?.respondingTimeouts?.readTimeout ?? "0";
  const evidence = `entrypoint ${name}: transport.respondingTimeouts.readTimeout is ${timeout}`;
  const cut = judgeReadTimeout(config, timeout, evidence);
  return cut ? [cut] : [];
}

/** An API that did not answer, or is none. */
function judgeUnreachable(cause: unknown, api: string | undefined): Finding {
  const { code } = ((cause as Error).cause ?? {}) as { code?: string };
  return found("traefik-unreachable", {}, `${api}: ${code ?? (cause as Error).message}`);
}

export const traefikChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "routers, middlewares and entrypoint of Traefik",
      applies: ({ expose, traefik }) => expose === "traefik" && traefik.api !== undefined,
      run: async ({ config, traefik, swarm }) => {
        // Its API can also be asked if Docker does not answer.
        const minApiVersion = await swarm().then(
          (facts) => facts.minApiVersion,
          () => undefined,
        );
        return judgeTraefik(config, { ...(await traefik()), minApiVersion });
      },
      failed: (cause, { config }) => judgeUnreachable(cause, config.traefik.api),
    },
  ],
};
