import type { Config } from "../config/resolve.js";
import { error, errorOrWarning, type Finding, findingKinds, warning } from "../finding.js";
import { routersIn } from "../services/traefikLabels.js";
import { STACK_LABEL, type SwarmService } from "../swarm/objects.js";
import type { Checks } from "./check.js";
import {
  hasOption,
  isOlder,
  isTraefik,
  optionsOf,
  PROVIDER_FLAGS,
  providerKey,
  type TraefikOptions,
  taggedVersion,
} from "./traefikOptions.js";
import { readTimeout, TIMEOUT_KINDS } from "./traefikTimeout.js";

const kinds = findingKinds("Traefik", {
  "traefik-old": errorOrWarning(
    "Traefik {version} is too old: {consequence}",
    "Update Traefik to {needed} or newer.",
  ),
  "traefik-provider": error(
    "{service} has no provider that reads our labels (traefik.version: {version})",
    "{change}",
    {
      remedy: "Set traefik.version to the line of your Traefik, or start it with the provider of that line.",
    },
  ),
  "traefik-constraint": error(
    "Traefik's constraint leaves out {services}, for which it makes no routers",
    "Set traefik.labels: {labels}, and deploy.",
  ),
  "traefik-not-on-network": error(
    "Traefik is not on the network {network}, so its requests to our services never arrive",
    "Put Traefik on {network} (docker service update --network-add {network} {service}), or set traefik.network to one that it is on.",
  ),
  "clients-share-address": warning(
    "Traefik sees the ingress mesh instead of its clients, so password guesses are counted for all clients together",
    "Publish Traefik's ports on its node (ports: {ports}).",
  ),
});
const { found } = kinds;

/** From here on line 3 reads traefik.swarm.network. Source: traefik/traefik, CHANGELOG. */
const READS_OUR_LABELS = "3.2.2";

/**
 * Older ones ask for this API, whatever the engine speaks; Docker 29 refuses it. Source:
 * traefik/traefik#12253.
 */
const OLD_API = "1.24";
const ASKS_FOR_A_NEWER_API = { 2: "2.11.31", 3: "3.6.1" };

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
    const consequence = "Docker refuses it, so it sees no service, and every route answers 404";
    const log = `client version ${OLD_API} is too old. Minimum supported API version is ${minApiVersion}`;
    const both = `${evidence}; the engine speaks API ${minApiVersion} and newer, so Traefik's log says: ${log}`;
    return [found("traefik-old", { version, consequence, needed }, both, "error")];
  }
  if (line === 2 || !isOlder(version, READS_OUR_LABELS)) return [];
  const consequence = "it does not read the labels traefik.swarm.network and traefik.swarm.lbswarm";
  return [found("traefik-old", { version, consequence, needed: READS_OUR_LABELS }, evidence, "warning")];
}

/** What the Swarm tells of Traefik's own service. */
interface TraefikServiceFacts {
  /** All services of the Swarm. */
  services: readonly SwarmService[];
  /** The network that Traefik should reach our services on. */
  networkId: string | undefined;
  /** The oldest API that the engine speaks. */
  minApiVersion?: string | undefined;
}

/**
 * Traefik's own service, if it is one of this Swarm: its arguments say what its API does not, such as a
 * constraint, and its ports whether it sees clients' addresses.
 */
export function judgeTraefikService(config: Config, facts: TraefikServiceFacts): Finding[] {
  const { services, networkId, minApiVersion } = facts;
  const traefiks = services.filter(isTraefik);
  const ofStack = services.filter(({ Spec }) => Spec.Labels?.[STACK_LABEL] === config.stack);
  const routed = ofStack.filter(
    // The gateway has a router in any case: if it has no labels, it lost them.
    ({ Spec: { Name, Labels = {} } }) => Name === `${config.stack}_gateway` || routersIn(Labels).length > 0,
  );
  const ages = traefiks.map((traefik) => {
    const evidence = `the image of ${traefik.Spec.Name} is ${traefik.Spec.TaskTemplate.ContainerSpec.Image}`;
    return judgeAge(taggedVersion(traefik), minApiVersion, evidence);
  });
  const settings = traefiks.map((traefik) => judgeOptions(config, traefik, routed));
  return [
    // Several Traefiks may share a Swarm: it is enough that one of them takes ours.
    ...(settings.every((found) => found.length > 0) ? settings.flat() : []),
    ...judgeNetwork(config, networkId, traefiks),
    ...traefiks.flatMap((traefik) => judgePorts(config, traefik)),
    // Its API tells the version better, if it can be asked.
    ...(config.traefik.api === undefined && ages.every((age) => age.length > 0) ? ages.flat() : []),
  ];
}

function judgeOptions(config: Config, traefik: SwarmService, routed: readonly SwarmService[]): Finding[] {
  const options = optionsOf(traefik);
  if (options === undefined) return [];
  const { Name } = traefik.Spec;
  const finding = judgeProvider(config, Name, options) ?? judgeConstraint(config, Name, options, routed);
  return finding === undefined ? [] : [finding];
}

function judgeProvider(config: Config, service: string, options: TraefikOptions): Finding | undefined {
  const swarmMode = options.get("providers.docker.swarmmode") ?? "false";
  const has = { 2: swarmMode.toLowerCase() !== "false", 3: hasOption(options, "providers.swarm") };
  const { version } = config.traefik;
  const otherVersion = version === 2 ? 3 : 2;
  if (has[version]) return undefined;
  const change = has[otherVersion]
    ? `Set traefik.version: ${otherVersion}, the line of your Traefik.`
    : `Start Traefik with: ${PROVIDER_FLAGS[version]}`;
  const providers = [...options.keys()].filter((name) => name.startsWith("providers.")).join(", ");
  return found("traefik-provider", { service, version, change }, `its providers: ${providers || "none"}`);
}

const LABEL = /^\s*Label\(\s*[`"]([^`"]*)[`"]\s*,\s*[`"]([^`"]*)[`"]\s*\)\s*$/;

/**
 * The labels that a constraint asks for: Label(`a`, `b`), or several of them joined by &&.
 *
 * @returns none for every other expression, which is not judged
 */
export function labelsWanted(constraint: string): [name: string, value: string][] {
  const parts = constraint.split("&&").map((part) => LABEL.exec(part));
  if (parts.includes(null)) return [];
  return parts.map((part): [string, string] => [part?.[1] ?? "", part?.[2] ?? ""]);
}

function judgeConstraint(
  config: Config,
  traefik: string,
  options: TraefikOptions,
  routed: readonly SwarmService[],
): Finding | undefined {
  const key = `${providerKey(config)}.constraints`;
  const constraint = options.get(key) ?? "";
  const wanted = labelsWanted(constraint);
  const leftOut = routed.filter(({ Spec: { Labels = {} } }) =>
    wanted.some(([name, value]) => (Labels[name] ?? "") !== value),
  );
  if (leftOut.length === 0) return undefined;
  const services = leftOut.map((service) => service.Spec.Name.slice(config.stack.length + 1)).join(", ");
  const labels = `{ ${wanted.map(([name, value]) => `${name}: ${value}`).join(", ")} }`;
  return found("traefik-constraint", { services, labels }, `service ${traefik}: ${key} is ${constraint}`);
}

function judgeNetwork(
  { traefik: { network } }: Config,
  networkId: string | undefined,
  traefiks: readonly SwarmService[],
): Finding[] {
  const [first] = traefiks;
  const networks = traefiks.flatMap(({ Spec }) =>
    (Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target),
  );
  if (first === undefined || networkId === undefined || networks.includes(networkId)) return [];
  const names = traefiks.map(({ Spec }) => Spec.Name).join(", ");
  const evidence = `networks of ${names}: ${networks.join(", ") || "none"}`;
  return [found("traefik-not-on-network", { network, service: first.Spec.Name }, evidence)];
}

/**
 * What comes through the ingress mesh has the address of the node that it entered by. Source: Docker, routing
 * mesh.
 */
function judgePorts(config: Config, { Spec }: SwarmService): Finding[] {
  const published = (Spec.EndpointSpec?.Ports ?? []).filter(({ Protocol }) => (Protocol ?? "tcp") === "tcp");
  const ofPublic = published.filter(({ PublishedPort }) => PublishedPort === config.traefik.publicPort);
  const meshed = (ofPublic.length > 0 ? ofPublic : published).filter(
    ({ PublishMode }) => (PublishMode ?? "ingress") === "ingress",
  );
  const [first] = meshed;
  if (first === undefined) return [];
  const ports = `[{ target: ${first.TargetPort ?? first.PublishedPort}, published: ${first.PublishedPort}, mode: host }]`;
  const evidence = `service ${Spec.Name} publishes ${meshed.map(({ PublishedPort }) => PublishedPort).join(", ")} in mode ingress: guesses from one client delay the first logins of all others`;
  return [found("clients-share-address", { ports }, evidence)];
}

export const traefikServiceChecks: Checks = {
  kinds: [kinds, TIMEOUT_KINDS],
  checks: [
    {
      title: "provider, network and ports of Traefik's service",
      needs: "manager",
      applies: ({ expose }) => expose === "traefik",
      run: async ({ config, swarm, allServices }) => {
        const { network, minApiVersion } = await swarm();
        const services = await allServices();
        return judgeTraefikService(config, { services, networkId: network?.id, minApiVersion });
      },
    },
    {
      title: "read timeout of Traefik's service",
      needs: "manager",
      preflight: true,
      // Its API tells it better.
      applies: ({ expose, traefik }) => expose === "traefik" && traefik.api === undefined,
      run: async ({ config, allServices }) => {
        const { finding } = readTimeout(config, await allServices());
        return finding === undefined ? [] : [finding];
      },
      unknown: async ({ config, allServices }) => readTimeout(config, await allServices()).unknown,
    },
  ],
};
