import type { Config } from "../config/resolve.js";
import { STACK_LABEL, type SwarmService } from "../docker/objects.js";
import {
  hasOption,
  isTraefik,
  optionsOf,
  PROVIDER_FLAGS,
  providerKey,
  readTimeout,
  type TraefikOptions,
  taggedVersion,
} from "../operation/traefikService.js";
import { routersIn } from "../services/traefikLabels.js";
import type { Check } from "./check.js";
import { error, type Finding, warning } from "./finding.js";
import { judgeAge } from "./traefikChecks.js";

/** What the Swarm tells of Traefik's own service. */
export interface TraefikServiceFacts {
  /** All services of the Swarm. */
  services: readonly SwarmService[];
  /** The network that Traefik should reach our services on. */
  networkId: string | undefined;
  /** The oldest API that the engine speaks. */
  minApiVersion?: string | undefined;
}

/**
 * Traefik's own service, if it is one of this Swarm: its arguments say what its API does not, such as a constraint,
 * and its ports whether it sees clients' addresses.
 */
export function judgeTraefikService(config: Config, facts: TraefikServiceFacts): Finding[] {
  const { services, networkId, minApiVersion } = facts;
  const traefiks = services.filter(isTraefik);
  if (traefiks.length === 0) return [];
  const routed = services.filter(({ Spec: { Name, Labels = {} } }) => {
    // The gateway has a router in any case: if it has no labels, it lost them.
    const isEdge = Name === `${config.stack}_gateway`;
    return Labels[STACK_LABEL] === config.stack && (isEdge || routersIn(Labels).length > 0);
  });
  return [
    ...judgeProviders(config, traefiks, routed),
    ...judgeNetwork(config, networkId, traefiks),
    ...traefiks.flatMap((traefik) => judgePorts(config, traefik)),
    ...(config.traefik.api === undefined ? judgeSettings(config, services, traefiks, minApiVersion) : []),
  ];
}

/** What Traefik's API tells better, where it can be asked. */
function judgeSettings(
  config: Config,
  services: readonly SwarmService[],
  traefiks: readonly SwarmService[],
  minApiVersion: string | undefined,
): Finding[] {
  const ages = traefiks.map((traefik) => {
    const evidence = `the image of ${traefik.Spec.Name} is ${traefik.Spec.TaskTemplate.ContainerSpec.Image}`;
    return judgeAge(taggedVersion(traefik), minApiVersion, evidence);
  });
  const { finding } = readTimeout(config, services);
  return [...(ages.every((age) => age.length > 0) ? ages.flat() : []), ...(finding ? [finding] : [])];
}

/** Several Traefiks share a Swarm by constraints: it is enough that one of them takes ours. */
function judgeProviders(
  config: Config,
  traefiks: readonly SwarmService[],
  routed: readonly SwarmService[],
): Finding[] {
  const verdicts = traefiks.map((traefik) => {
    const options = optionsOf(traefik);
    return (
      options &&
      (judgeProvider(config, traefik, options) ?? judgeConstraint(config, traefik, options, routed))
    );
  });
  return verdicts.every((verdict) => verdict !== undefined) ? verdicts : [];
}

function judgeProvider(config: Config, { Spec }: SwarmService, options: TraefikOptions): Finding | undefined {
  const swarmMode = options.get("providers.docker.swarmmode") ?? "false";
  const has = { 2: swarmMode.toLowerCase() !== "false", 3: hasOption(options, "providers.swarm") };
  const { version } = config.traefik;
  const otherVersion = version === 2 ? 3 : 2;
  if (has[version]) return undefined;
  return error(
    "traefik-provider",
    `${Spec.Name} has no provider that reads our labels (traefik.version: ${version})`,
    `its providers: ${[...options.keys()].filter((name) => name.startsWith("providers.")).join(", ") || "none"}`,
    has[otherVersion]
      ? `Set traefik.version: ${otherVersion}, the line of your Traefik.`
      : `Start Traefik with: ${PROVIDER_FLAGS[version]}`,
  );
}

const LABEL = /^\s*Label\(\s*[`"]([^`"]*)[`"]\s*,\s*[`"]([^`"]*)[`"]\s*\)\s*$/;

/**
 * The labels that a constraint asks for: Label(`a`, `b`), or several of them joined by &&.
 *
 * @returns undefined for every other expression, which is not judged
 */
function labelsWanted(constraint: string): [name: string, value: string][] | undefined {
  const labels: [string, string][] = [];
  for (const part of constraint.split("&&")) {
    const [label, name = "", value = ""] = LABEL.exec(part) ?? [];
    if (label === undefined) return undefined;
    labels.push([name, value]);
  }
  return labels;
}

function judgeConstraint(
  config: Config,
  { Spec }: SwarmService,
  options: TraefikOptions,
  routed: readonly SwarmService[],
): Finding | undefined {
  const key = `${providerKey(config)}.constraints`;
  const constraint = options.get(key) ?? "";
  const wanted = labelsWanted(constraint) ?? [];
  const leftOut = routed.filter(({ Spec: { Labels = {} } }) =>
    wanted.some(([name, value]) => (Labels[name] ?? "") !== value),
  );
  if (leftOut.length === 0) return undefined;
  const names = leftOut.map((service) => service.Spec.Name.slice(config.stack.length + 1));
  return error(
    "traefik-constraint",
    `Traefik's constraint leaves out ${names.join(", ")}: it makes no routers for ${names.length === 1 ? "it" : "them"}`,
    `service ${Spec.Name}: ${key} is ${constraint}`,
    `Set traefik.labels: { ${wanted.map(([name, value]) => `${name}: ${value}`).join(", ")} }, and deploy.`,
  );
}

function judgeNetwork(
  config: Config,
  networkId: string | undefined,
  traefiks: readonly SwarmService[],
): Finding[] {
  const networksOf = ({ Spec }: SwarmService) =>
    (Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target);
  const networks = traefiks.flatMap(networksOf);
  if (networkId === undefined || networks.includes(networkId)) return [];
  const names = traefiks.map(({ Spec }) => Spec.Name);
  const { network } = config.traefik;
  return [
    error(
      "traefik-not-on-network",
      `Traefik is not on the network ${network}, so its requests to our services never arrive`,
      `networks of ${names.join(", ")}: ${networks.join(", ") || "none"}`,
      `Put Traefik on ${network} (docker service update --network-add ${network} ${names[0]}), or set traefik.network to one that it is on.`,
    ),
  ];
}

/** What comes through the ingress mesh has the address of the node that it entered by. Source: Docker, routing mesh. */
function judgePorts(config: Config, { Spec }: SwarmService): Finding[] {
  const ports = (Spec.EndpointSpec?.Ports ?? []).filter(({ Protocol }) => (Protocol ?? "tcp") === "tcp");
  const ofPublic = ports.filter(({ PublishedPort }) => PublishedPort === config.traefik.publicPort);
  const meshed = (ofPublic.length > 0 ? ofPublic : ports).filter(
    ({ PublishMode }) => (PublishMode ?? "ingress") === "ingress",
  );
  const [first] = meshed;
  if (first === undefined) return [];
  return [
    warning(
      "clients-share-address",
      "Traefik sees the ingress mesh instead of its clients, so password guesses are counted for all clients together",
      `service ${Spec.Name} publishes ${meshed.map(({ PublishedPort }) => PublishedPort).join(", ")} in mode ingress: guesses from one client delay the first logins of all others`,
      `Publish Traefik's ports on its node (ports: [{ target: ${first.TargetPort ?? first.PublishedPort}, published: ${first.PublishedPort}, mode: host }]).`,
    ),
  ];
}

export const traefikServiceCheck: Check = {
  id: "traefik-service",
  title: "provider, network, ports and read timeout of Traefik's service",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) => {
    const { network, minApiVersion } = await swarm();
    return judgeTraefikService(config, {
      services: await allServices(),
      networkId: network?.id,
      minApiVersion,
    });
  },
  unknown: async ({ config, allServices }) =>
    config.traefik.api === undefined ? readTimeout(config, await allServices()).unknown : undefined,
};
