import type { Config } from "../config/resolve.js";
import { STACK_LABEL, type SwarmService } from "../docker/objects.js";
import {
  hasOption,
  isTraefik,
  optionsOf,
  readTimeout,
  type TraefikOptions,
} from "../operation/traefikService.js";
import { routersIn } from "../services/traefikLabels.js";
import type { Check } from "./check.js";
import { matchesConstraint } from "./constraint.js";
import { error, type Finding, warning } from "./finding.js";
import { constraintRemedy, PROVIDER_FLAGS, providerKey } from "./traefikWords.js";

/**
 * Traefik's own service, where it is one of this Swarm: its arguments say what its API does not, such as a constraint,
 * and its ports whether it sees clients' addresses.
 *
 * @param networkId of the network that Traefik shall reach ours by
 * @param services all of the Swarm
 */
export function judgeTraefikService(
  config: Config,
  networkId: string | undefined,
  services: readonly SwarmService[],
): Finding[] {
  const traefiks = services.filter(isTraefik);
  if (traefiks.length === 0) return [];
  const ours = services.filter(({ Spec }) => Spec.Labels?.[STACK_LABEL] === config.stack);
  return [
    ...judgeProviders(config, traefiks, ours),
    ...judgeNetwork(config, networkId, traefiks),
    ...traefiks.flatMap((traefik) => judgePorts(config, traefik)),
    ...judgeReadTimeout(config, services),
  ];
}

/** Several Traefiks share a Swarm by constraints: it is enough that one of them takes ours. */
function judgeProviders(
  config: Config,
  traefiks: readonly SwarmService[],
  ours: readonly SwarmService[],
): Finding[] {
  const verdicts = traefiks.map((traefik) => {
    const options = optionsOf(traefik);
    return (
      options && (judgeProvider(config, traefik, options) ?? judgeConstraint(config, traefik, options, ours))
    );
  });
  return verdicts.every((verdict) => verdict !== undefined) ? verdicts : [];
}

function judgeProvider(config: Config, { Spec }: SwarmService, options: TraefikOptions): Finding | undefined {
  const has = (key: string) => hasOption(options, key);
  const swarmMode = options.get("providers.docker.swarmmode");
  const isLine2 = swarmMode !== undefined && swarmMode.toLowerCase() !== "false";
  const sound = config.traefik.version === 2 ? isLine2 : has("providers.swarm");
  if (sound) return undefined;
  const other = config.traefik.version === 2 ? has("providers.swarm") : isLine2;
  return error(
    "traefik-provider",
    `${Spec.Name} has no provider that reads our labels (traefik.version: ${config.traefik.version})`,
    `its providers: ${[...options.keys()].filter((name) => name.startsWith("providers.")).join(", ") || "none"}`,
    other
      ? `Set traefik.version: ${config.traefik.version === 2 ? 3 : 2} to the line of your Traefik.`
      : `Start Traefik with: ${PROVIDER_FLAGS[config.traefik.version]}`,
  );
}

function judgeConstraint(
  config: Config,
  { Spec }: SwarmService,
  options: TraefikOptions,
  ours: readonly SwarmService[],
): Finding | undefined {
  const key = `${providerKey(config)}.constraints`;
  const constraint = options.get(key);
  if (constraint === undefined) return undefined;
  const routed = ours.filter(
    (service) => routersIn(service.Spec.Labels ?? {}).length > 0 || isEdge(config, service),
  );
  const left = routed.filter((service) => matchesConstraint(constraint, service.Spec.Labels ?? {}) === false);
  const [first] = left;
  if (first === undefined) return undefined;
  const names = left.map((service) => service.Spec.Name.slice(config.stack.length + 1));
  return error(
    "traefik-constraint",
    `Traefik's constraint leaves out ${names.join(", ")}: it makes no routers for ${names.length === 1 ? "it" : "them"}`,
    `service ${Spec.Name}: ${key} is ${constraint}`,
    constraintRemedy(constraint, first.Spec.Labels ?? {}),
  );
}

/** The gateway has a router in any case: one without labels lost them. */
const isEdge = ({ stack }: Config, { Spec }: SwarmService): boolean => Spec.Name === `${stack}_gateway`;

function judgeNetwork(
  config: Config,
  networkId: string | undefined,
  traefiks: readonly SwarmService[],
): Finding[] {
  const networks = ({ Spec }: SwarmService) => Spec.TaskTemplate.Networks ?? [];
  const isThere = traefiks.some((one) => networks(one).some(({ Target }) => Target === networkId));
  if (networkId === undefined || isThere) return [];
  const names = traefiks.map(({ Spec }) => Spec.Name).join(", ");
  const { network } = config.traefik;
  return [
    error(
      "traefik-not-on-network",
      `Traefik is not on the network ${network}, so its requests to our services never arrive`,
      `networks of ${names}: ${
        traefiks
          .flatMap(networks)
          .map(({ Target }) => Target)
          .join(", ") || "none"
      }`,
      `Put Traefik on ${network} (docker service update --network-add ${network} ${traefiks[0]?.Spec.Name}), or set traefik.network to one that it is on.`,
    ),
  ];
}

/** Where Traefik's API is asked, it tells what counts. */
function judgeReadTimeout(config: Config, services: readonly SwarmService[]): Finding[] {
  const { finding } = config.traefik.api === undefined ? readTimeout(config, services) : {};
  return finding ? [finding] : [];
}

/** What comes through the ingress mesh has the address of the node that it entered by. Source: Docker, routing mesh. */
function judgePorts(config: Config, { Spec }: SwarmService): Finding[] {
  const ports = (Spec.EndpointSpec?.Ports ?? []).filter(({ Protocol }) => (Protocol ?? "tcp") === "tcp");
  const ofPublic = ports.filter(({ PublishedPort }) => PublishedPort === config.traefik.publicPort);
  const meshed = (ofPublic.length > 0 ? ofPublic : ports).filter(
    ({ PublishMode }) => (PublishMode ?? "ingress") === "ingress",
  );
  if (meshed.length === 0) return [];
  const [first] = meshed;
  return [
    warning(
      "clients-share-address",
      "Traefik sees the ingress mesh in the place of its clients, so password guesses are counted for all clients together",
      `service ${Spec.Name} publishes ${meshed.map(({ PublishedPort }) => PublishedPort).join(", ")} in mode ingress: guesses from one client delay the first logins of all others`,
      `Publish Traefik's ports on its node (ports: [{ target: ${first?.TargetPort ?? first?.PublishedPort}, published: ${first?.PublishedPort}, mode: host }]).`,
    ),
  ];
}

export const traefikServiceCheck: Check = {
  id: "traefik-service",
  title: "provider, network, ports and read timeout of Traefik's service",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) =>
    judgeTraefikService(config, (await swarm()).network?.id, await allServices()),
  unknown: async ({ config, allServices }) =>
    config.traefik.api === undefined ? readTimeout(config, await allServices()).unknown : undefined,
};
