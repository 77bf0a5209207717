import type { Config } from "../config/resolve.js";
import { type Finding, findingKinds, warning } from "../finding.js";
import { hostsOf, routersIn } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import { STACK_LABEL, type SwarmService } from "../swarm/objects.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Traefik", {
  "host-claimed-twice": warning(
    "another router claims {hosts}, the host of {router}",
    "Give one of them another host: Traefik takes the longer rule, so requests may go to a stranger.",
  ),
  "alias-twice": warning(
    "{service} answers to the name registry on {network} too",
    "Use {stack}_registry instead of http://registry:5000 there, or remove the alias.",
  ),
});
const { found } = kinds;

/** Services of others in the Swarm that get in this stack's way at Traefik. */
export const judgeNeighbours = (
  config: Config,
  networkId: string | undefined,
  services: readonly SwarmService[],
): Finding[] =>
  services
    .filter(({ Spec }) => Spec.Labels?.[STACK_LABEL] !== config.stack)
    .flatMap((service) => [...judgeRouters(config, service), ...judgeAlias(config, networkId, service)]);

function judgeRouters(config: Config, { Spec: { Name, Labels = {} } }: SwarmService): Finding[] {
  const own = routersOf(config);
  return routersIn(Labels).flatMap(({ name: router, rule, entrypoints }) => {
    const evidence = `service ${Name} has the label traefik.http.routers.${router}.rule=${rule}`;
    // A redirection to https on another entrypoint is no rival.
    if (entrypoints.length > 0 && !entrypoints.includes(config.traefik.entrypoint)) return [];
    const claimed = own.find((one) => hostsOf(one.rule).some((host) => hostsOf(rule).includes(host)));
    if (claimed === undefined) return [];
    const hosts = hostsOf(claimed.rule).join(", ");
    return [found("host-claimed-twice", { hosts, router: claimed.name }, evidence)];
  });
}

function judgeAlias(
  { stack, traefik: { network } }: Config,
  networkId: string | undefined,
  { Spec: { Name, TaskTemplate } }: SwarmService,
): Finding[] {
  const joined = TaskTemplate.Networks?.find(({ Target }) => Target === networkId);
  if (networkId === undefined || !joined?.Aliases?.includes("registry")) return [];
  const evidence = `service ${Name} has the network alias registry there`;
  return [found("alias-twice", { service: Name, network, stack }, evidence)];
}

export const neighbourChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "other services on Traefik's network",
      needs: "manager",
      applies: ({ expose }) => expose === "traefik",
      run: async ({ config, swarm, allServices }) =>
        judgeNeighbours(config, (await swarm()).network?.id, await allServices()),
    },
  ],
};
