import type { Config } from "../config/resolve.js";
import { providerOf } from "../services/traefikLabels.js";
import { type Labels, matchesConstraint } from "./constraint.js";
import type { Finding } from "./finding.js";
import type { TraefikFacts } from "./traefikChecks.js";
import { constraintRemedy, PROVIDER_FLAGS, providerKey } from "./traefikWords.js";

type Cause = Pick<Finding, "evidence" | "remedy">;

/**
 * Why Traefik has no router of a name, as far as its API shows: it shows routers with their providers, and names the
 * providers that run; a constraint or exposedByDefault stands in its support dump alone (newer ones of line 3).
 *
 * @param name without its provider
 */
export function whyUnseen(config: Config, name: string, facts: TraefikFacts): Cause {
  const provider = providerOf(config);
  const other = facts.routers.find((candidate) => candidate.name.startsWith(`${name}@`));
  const line = Number(facts.version?.split(".")[0]);
  const { version } = config.traefik;
  if (other || (line !== version && (line === 2 || line === 3))) {
    return {
      evidence: other ? `it has ${other.name} instead` : `it is Traefik ${facts.version}`,
      remedy: `Set traefik.version${line === 2 || line === 3 ? `: ${line},` : " to"} the line of your Traefik.`,
    };
  }
  if (facts.providers && !facts.providers.some((one) => one.toLowerCase() === provider)) {
    return {
      evidence: `its providers are ${facts.providers.join(", ") || "none"}`,
      remedy: `Start Traefik with: ${PROVIDER_FLAGS[version]}`,
    };
  }
  return whyLeftOut(config, facts, facts.labels?.get(name)) ?? whatIsLeft(config, facts);
}

/** By what the support dump has of the provider. */
function whyLeftOut(
  config: Config,
  { staticConfiguration }: TraefikFacts,
  labels: Labels | undefined,
): Cause | undefined {
  const settings = staticConfiguration?.providers?.[providerOf(config)];
  if (settings === undefined || labels === undefined) return undefined;
  const { constraints = "", exposedByDefault = false } = settings;
  if (matchesConstraint(constraints, labels) === false) {
    return {
      evidence: `its ${providerKey(config)}.constraints is ${constraints}`,
      remedy: constraintRemedy(constraints, labels),
    };
  }
  if (exposedByDefault || labels["traefik.enable"] === "true") return undefined;
  return {
    evidence: `its ${providerKey(config)}.exposedByDefault is false, and the service has no label traefik.enable=true`,
    remedy: "Put the labels back with: hephaestus deploy",
  };
}

function whatIsLeft(config: Config, { routers }: TraefikFacts): Cause {
  const provider = providerOf(config);
  const count = routers.filter((router) => router.name.endsWith(`@${provider}`)).length;
  if (count > 0) {
    return {
      evidence: `its ${provider} provider shows ${count} ${count === 1 ? "router" : "routers"} of others, so it reads this Swarm and leaves this one out; the API does not say why`,
      remedy: `See that a task of the service runs (hephaestus status), and whether Traefik has ${providerKey(config)}.constraints: write the label that it asks for under traefik.labels.`,
    };
  }
  return {
    evidence: `its ${provider} provider shows no router at all`,
    remedy: `See that Traefik runs on a manager of this Swarm with ${PROVIDER_FLAGS[config.traefik.version]} and Docker's socket, and that its log names no error of the provider.`,
  };
}
