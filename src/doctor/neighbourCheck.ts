import type { Config } from "../config/resolve.js";
import { STACK_LABEL, type SwarmService } from "../docker/objects.js";
import { hostsOf, routersIn } from "../services/traefikLabels.js";
import { routersOf } from "../stack.js";
import type { Check } from "./check.js";
import { type Finding, warning } from "./finding.js";

/** Services of others in the Swarm that get in this stack's way at Traefik. */
export function judgeNeighbours(
  config: Config,
  networkId: string | undefined,
  services: readonly SwarmService[],
): Finding[] {
  const own = routersOf(config);
  return services
    .filter(({ Spec }) => Spec.Labels?.[STACK_LABEL] !== config.stack)
    .flatMap(({ Spec }) => {
      const findings: Finding[] = [];
      for (const router of routersIn(Spec.Labels ?? {})) {
        const twin = own.find(({ name }) => name.toLowerCase() === router.name.toLowerCase());
        const evidence = `service ${Spec.Name} has the label traefik.http.routers.${router.name}.rule=${router.rule}`;
        if (twin) {
          findings.push(
            warning(
              "router-name-twice",
              `another service defines the router ${router.name} too`,
              evidence,
              "Rename one: Traefik drops routers whose name two services define in different ways.",
            ),
          );
        }
        // A redirection to https on another entrypoint is no rival.
        const meets =
          router.entrypoints.length === 0 || router.entrypoints.includes(config.traefik.entrypoint);
        const claimed = own.find(
          ({ rule }) => meets && hostsOf(rule).some((host) => hostsOf(router.rule).includes(host)),
        );
        if (claimed && !twin) {
          findings.push(
            warning(
              "host-claimed-twice",
              `another router claims ${hostsOf(claimed.rule).join(", ")}, the host of ${claimed.name}`,
              evidence,
              "Give one of them another host: Traefik takes the longer rule, so requests may go to a stranger.",
            ),
          );
        }
      }
      const joined = Spec.TaskTemplate.Networks?.find(({ Target }) => Target === networkId);
      if (networkId !== undefined && joined?.Aliases?.includes("registry")) {
        findings.push(
          warning(
            "alias-twice",
            `${Spec.Name} answers to the name registry on ${config.traefik.network} too`,
            `service ${Spec.Name} has the network alias registry there`,
            `Use ${config.stack}_registry instead of http://registry:5000 there, or remove the alias.`,
          ),
        );
      }
      return findings;
    });
}

export const neighbourCheck: Check = {
  id: "neighbours",
  title: "other services on Traefik's network",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) =>
    judgeNeighbours(config, (await swarm()).network?.id, await allServices()),
};
