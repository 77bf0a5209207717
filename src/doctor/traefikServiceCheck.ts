import type { Config } from "../config/resolve.js";
import { STACK_LABEL, type SwarmService } from "../docker/objects.js";
import { routersIn } from "../stack/traefikLabels.js";
import type { Check } from "./check.js";
import { matchesConstraint } from "./constraint.js";
import { error, type Finding, warning } from "./finding.js";
import { constraintRemedy, PROVIDER_FLAGS, providerKey } from "./traefikWords.js";

/** Traefik's static configuration, by option in lower case: providers.swarm.constraints. */
type Options = ReadonlyMap<string, string>;

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
  ];
}

const isTraefik = ({ Spec }: SwarmService): boolean =>
  /(?:^|\/)traefik(?:[:@]|$)/.test(Spec.TaskTemplate.ContainerSpec.Image);

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

function judgeProvider(config: Config, { Spec }: SwarmService, options: Options): Finding | undefined {
  const has = (key: string) => [...options.keys()].some((name) => name === key || name.startsWith(`${key}.`));
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
  options: Options,
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

/**
 * What the service is started with. Traefik reads one source alone: a file, or arguments, or variables.
 *
 * @returns undefined where a file has it, which is not read here
 */
function optionsOf({ Spec }: SwarmService): Options | undefined {
  const { Command = [], Args = [], Env = [], Configs = [], Mounts = [] } = Spec.TaskTemplate.ContainerSpec;
  const places = [...Configs.map(({ File }) => File?.Name ?? ""), ...Mounts.map(({ Target }) => Target)];
  if (places.some((place) => /\/traefik(?:\.(?:ya?ml|toml))?\/?$/.test(place))) return undefined;
  const options = flagsIn([...Command, ...Args]);
  if (options.has("configfile")) return undefined;
  if (options.size > 0) return options;
  return new Map(
    Env.map((line) => /^TRAEFIK_([A-Z0-9_]+)=(.*)$/s.exec(line))
      .filter((found) => found !== null)
      .map(([, name = "", value = ""]) => [name.toLowerCase().replaceAll("_", "."), value]),
  );
}

/** --name=value, --name value, and --name alone. Source: traefik/paerser, flag. */
function flagsIn(words: readonly string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const [index, word] of words.entries()) {
    const [, name, value] = /^--?([a-zA-Z][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) continue;
    const next = words[index + 1];
    options.set(name.toLowerCase(), value ?? (next === undefined || next.startsWith("-") ? "true" : next));
  }
  return options;
}

export const traefikServiceCheck: Check = {
  id: "traefik-service",
  title: "provider, network and ports of Traefik's service",
  theme: "Traefik",
  needs: "manager",
  applies: ({ expose }) => expose === "traefik",
  run: async ({ config, swarm, allServices }) =>
    judgeTraefikService(config, (await swarm()).network?.id, await allServices()),
};
