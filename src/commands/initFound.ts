import type { FoundSettings, InitAnswers } from "../config/initialConfig.js";
import { readEndpoint } from "../docker/endpoint.js";
import { boundedDocker, type Docker } from "../docker/run.js";
import {
  isTraefik,
  namesIn,
  optionsOf,
  type TraefikOptions,
  taggedVersion,
} from "../doctor/traefikOptions.js";
import { labelsWanted } from "../doctor/traefikServiceChecks.js";
import { kernelHasIpvs } from "../host/kernel.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { readEngineInfo } from "../swarm/engine.js";
import {
  type EngineNetwork,
  listNetworks,
  listNodes,
  listServices,
  STACK_LABEL,
  type SwarmNode,
  type SwarmService,
} from "../swarm/objects.js";

/** What `init` looks at in the Swarm. */
export interface SwarmSight {
  services: readonly SwarmService[];
  networks: readonly EngineNetwork[];
  nodes: readonly SwarmNode[];
  /** The node that answers. */
  nodeId: string;
  /** undefined if the engine runs on another machine. */
  hasIpvs: boolean | undefined;
}

/** What the Swarm suggests for a new config. */
export interface Found {
  /** Defaults of the questions. */
  answers: Partial<Omit<InitAnswers, "found">>;
  /** What is not asked. */
  settings: FoundSettings;
  /** Host names of the nodes to choose from, the one that answers first. */
  nodes: readonly string[];
  /** What was found, in lines for a person. */
  notes: readonly string[];
}

const NOTHING: Found = { answers: {}, settings: {}, nodes: [], notes: [] };

/** Milliseconds for each question to the engine. */
const PATIENCE = 5000;

/** Looks at the Swarm. @returns nothing found if docker does not reach a manager */
export async function lookAtSwarm(unbounded: Docker): Promise<Found> {
  const docker = boundedDocker(unbounded, PATIENCE);
  try {
    const { Swarm } = await readEngineInfo(docker);
    if (!Swarm.ControlAvailable) return NOTHING;
    return foundIn({
      services: await listServices(docker),
      networks: await listNetworks(docker),
      nodes: await listNodes(docker),
      nodeId: Swarm.NodeID,
      hasIpvs: (await readEndpoint(docker)).isLocal ? kernelHasIpvs() : undefined,
    });
  } catch {
    return NOTHING;
  }
}

/** What a Swarm suggests. Pure. */
export function foundIn(sight: SwarmSight): Found {
  const traefik = traefikIn(sight);
  const middleware = autheliaIn(sight, traefik.answers.traefikVersion ?? 3);
  const isReady = ({ Spec, Status }: SwarmNode) => Status.State === "ready" && Spec.Availability === "active";
  const ready = sight.nodes.filter(isReady).sort((a, b) => rank(a, sight) - rank(b, sight));
  const nodes = ready.flatMap(({ Description: { Hostname } }) => Hostname ?? []);
  const managers = ready.filter(({ Spec }) => Spec.Role === "manager");
  const node = managers.length > 1 ? managers[0]?.Description.Hostname : undefined;
  const hasNoIpvs = sight.hasIpvs === false;
  return {
    answers: {
      ...traefik.answers,
      ...(middleware === undefined ? {} : { ui: "sso" as const }),
      ...(node === undefined ? {} : { node }),
    },
    settings: {
      ...(traefik.settings && { traefik: traefik.settings }),
      ...(middleware === undefined ? {} : { authelia: { middleware } }),
      ...(hasNoIpvs ? { swarm: { endpointMode: "dnsrr" as const } } : {}),
    },
    nodes,
    notes: [
      ...traefik.notes,
      ...(middleware === undefined ? [] : [`Authelia, as the middleware ${middleware}`]),
      ...(node === undefined ? [] : [`${managers.length} managers, of which ${node} answers`]),
      ...(hasNoIpvs ? ["a kernel without IPVS, so endpointMode is dnsrr"] : []),
      ...registriesIn(sight),
    ],
  };
}

const rank = ({ ID }: SwarmNode, { nodeId }: SwarmSight): number => (ID === nodeId ? 0 : 1);

const portOf = ({ Spec }: SwarmService, published: number) =>
  Spec.EndpointSpec?.Ports?.find(({ PublishedPort }) => PublishedPort === published);

interface FoundTraefik extends Pick<Found, "answers" | "notes"> {
  settings?: FoundSettings["traefik"];
}

/** The Traefik that has port 443, or else the first. */
function traefikIn(sight: SwarmSight): FoundTraefik {
  const all = sight.services.filter(isTraefik);
  const traefik = all.find((service) => portOf(service, 443) !== undefined) ?? all[0];
  if (traefik === undefined) return { answers: {}, notes: [] };
  const options = optionsOf(traefik) ?? new Map<string, string>();
  const version = versionOf(traefik, options);
  const provider = version === 2 ? "providers.docker" : "providers.swarm";
  const network = options.get(`${provider}.network`) ?? networkOf(traefik, sight);
  const entrypoint = entrypointOf(traefik, options);
  const resolvers = namesIn(traefik, "certificatesresolvers");
  const certResolver =
    options.get(`entrypoints.${entrypoint?.toLowerCase()}.http.tls.certresolver`) ??
    (resolvers.length === 1 ? resolvers[0] : undefined);
  const wanted = labelsWanted(options.get(`${provider}.constraints`) ?? "");
  // Every service that is routed has this one.
  const labels = Object.fromEntries(wanted.filter(([name]) => name !== "traefik.enable"));
  const settings = {
    // websecure is the default.
    ...(entrypoint === undefined || entrypoint === "websecure" ? {} : { entrypoint }),
    ...(certResolver === undefined ? {} : { certResolver }),
    ...(Object.keys(labels).length === 0 ? {} : { labels }),
  };
  const told = Object.entries({ version, network, entrypoint, certResolver })
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name} ${value}`);
  const constraint = Object.entries(labels).map(([name, value]) => `label ${name}=${value}`);
  return {
    answers: {
      ...(version === undefined ? {} : { traefikVersion: version }),
      ...(network === undefined ? {} : { traefikNetwork: network }),
    },
    settings,
    notes: [`Traefik, as the service ${traefik.Spec.Name}: ${[...told, ...constraint].join(", ")}`],
  };
}

/** By its provider, which has to be that of its line, or else by the tag of its image. */
function versionOf(traefik: SwarmService, options: TraefikOptions): 2 | 3 | undefined {
  if ([...options.keys()].some((name) => name.startsWith("providers.swarm"))) return 3;
  if (options.has("providers.docker.swarmmode")) return 2;
  const major = /^[23]/.exec(taggedVersion(traefik) ?? "")?.[0];
  return major === undefined ? undefined : major === "2" ? 2 : 3;
}

/** Of the networks that Traefik is on, the one that most services share with it. */
function networkOf(traefik: SwarmService, { services, networks }: SwarmSight): string | undefined {
  const targets = ({ Spec }: SwarmService) => (Spec.TaskTemplate.Networks ?? []).map(({ Target }) => Target);
  const shared = (target: string) => services.filter((service) => targets(service).includes(target)).length;
  const [most] = targets(traefik).sort((a, b) => shared(b) - shared(a));
  return networks.find(({ Id, Name }) => Id === most || Name === most)?.Name;
}

/** The one that listens on the port that is published as 443. */
function entrypointOf(traefik: SwarmService, options: TraefikOptions): string | undefined {
  const port = portOf(traefik, 443)?.TargetPort ?? 443;
  return namesIn(traefik, "entrypoints").find((name) =>
    new RegExp(`:${port}(?:/tcp)?$`).test(options.get(`entrypoints.${name.toLowerCase()}.address`) ?? ""),
  );
}

const FORWARD_AUTH = /^traefik\.http\.middlewares\.([^.]+)\.forwardauth\.address$/i;

/** The middleware that asks Authelia, by the labels that define one. */
function autheliaIn({ services }: SwarmSight, traefikVersion: 2 | 3): string | undefined {
  const labels = services.flatMap(({ Spec }) => Object.entries(Spec.Labels ?? {}));
  const names = labels.flatMap(([label, value]) =>
    /^https?:\/\/[^/]*authelia/i.test(value) ? (FORWARD_AUTH.exec(label)?.[1] ?? []) : [],
  );
  // A second one may be for clients that send Basic.
  const name = names.find((one) => one === "authelia") ?? names[0];
  return name === undefined ? undefined : `${name}@${traefikVersion === 2 ? "docker" : "swarm"}`;
}

/** Registries that run already. */
function registriesIn({ services }: SwarmSight): string[] {
  const registries = services.filter(({ Spec }) =>
    /(?:^|\/)(?:registry|distribution)(?:[:@]|$)/.test(Spec.TaskTemplate.ContainerSpec.Image),
  );
  return registries.map(({ Spec: { Name, Labels = {} } }) => {
    const stack = Labels[STACK_LABEL];
    return Labels[OWNER_LABEL] === undefined
      ? `a registry, as the service ${Name}; to keep its images and users, run: hephaestus adopt${stack === undefined ? "" : ` ${stack}`}`
      : `a registry of hephaestus, as the stack ${Labels[OWNER_LABEL]}; a second one needs another name (stack)`;
  });
}
