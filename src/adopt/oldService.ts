import { z } from "zod";
import { type EngineNetwork, STACK_LABEL, type SwarmService } from "../swarm/objects.js";

/** What runs or would run, as far as it is adopted: one value, wherever it was read. */
export interface OldService {
  name: string;
  /** The stack that it is of; empty if it is of none. */
  stack: string;
  image: string;
  /** UID:GID or a name; empty means the image's own. */
  user: string;
  environment: Readonly<Record<string, string>>;
  labels: Readonly<Record<string, string>>;
  mounts: readonly OldMount[];
  /** Secrets and configs, by where they are in the container, and the file of one that a compose file names. */
  files: readonly { kind: "secret" | "config"; name: string; target: string; path?: string }[];
  /** Networks by name; those of other stacks, or of nobody, are external. */
  networks: readonly { name: string; external: boolean }[];
  constraints: readonly string[];
  ports: readonly { target: number; published: number }[];
  /** Whether its name resolves to its tasks. */
  dnsrr: boolean;
}

interface OldMount {
  type: string;
  /** A path, or the name of a volume; empty for an anonymous one. */
  source: string;
  target: string;
}

/** NAME=value entries. */
export const variablesOf = (entries: readonly string[]): Record<string, string> =>
  Object.fromEntries(
    entries.map((entry) => {
      const [name = "", ...value] = entry.split("=");
      return [name, value.join("=")];
    }),
  );

/** An image as it is written in a file: the engine adds the digest. */
export const withoutDigest = (image: string): string => image.replace(/@sha256:\w+$/, "");

/** Where a secret or a config is in the container. */
export const placeOf = (kind: "secret" | "config", target: string): string =>
  target.startsWith("/") ? target : kind === "secret" ? `/run/secrets/${target}` : `/${target}`;

/** What of a spec the project's own services have no use for. */
interface MoreOfSpec {
  ContainerSpec: { Mounts?: { Type?: string; Source?: string; Target: string }[] };
  Placement?: { Constraints?: string[] };
}

/** A service of a Swarm. */
export function fromSwarm({ Spec }: SwarmService, networks: readonly EngineNetwork[]): OldService {
  const { ContainerSpec, Networks = [] } = Spec.TaskTemplate;
  const { ContainerSpec: more, Placement } = Spec.TaskTemplate as unknown as MoreOfSpec;
  const stack = Spec.Labels?.[STACK_LABEL];
  const file = (kind: "secret" | "config", name: string, target = name) => ({
    kind,
    name,
    target: placeOf(kind, target),
  });
  return {
    name: Spec.Name,
    stack: stack ?? "",
    image: withoutDigest(ContainerSpec.Image),
    user: ContainerSpec.User ?? "",
    environment: variablesOf(ContainerSpec.Env ?? []),
    labels: Spec.Labels ?? {},
    mounts: (more.Mounts ?? []).map(({ Type = "volume", Source = "", Target }) => ({
      type: Type,
      source: Source,
      target: Target,
    })),
    files: [
      ...(ContainerSpec.Secrets ?? []).map(({ SecretName, File }) => file("secret", SecretName, File?.Name)),
      ...(ContainerSpec.Configs ?? []).map(({ ConfigName, File }) => file("config", ConfigName, File?.Name)),
    ],
    networks: Networks.flatMap(({ Target }) => {
      const network = networks.find(({ Id, Name }) => Id === Target || Name === Target);
      if (network === undefined) return [];
      const owner = network.Labels?.[STACK_LABEL];
      return [{ name: network.Name, external: owner === undefined || owner !== stack }];
    }),
    constraints: Placement?.Constraints ?? [],
    ports: (Spec.EndpointSpec?.Ports ?? []).flatMap(({ TargetPort = 0, PublishedPort = 0 }) =>
      PublishedPort === 0 ? [] : [{ target: TargetPort, published: PublishedPort }],
    ),
    dnsrr: (Spec.EndpointSpec as { Mode?: string } | undefined)?.Mode === "dnsrr",
  };
}

/** What `docker inspect` says of a container, as far as it is read. */
export const INSPECTED = z.object({
  Id: z.string(),
  Name: z.string(),
  Config: z.object({
    Image: z.string(),
    User: z.string().optional(),
    Env: z.array(z.string()).nullish(),
    Labels: z.record(z.string(), z.string()).nullish(),
  }),
  HostConfig: z.object({
    PortBindings: z
      .record(z.string(), z.array(z.object({ HostPort: z.string().optional() })).nullable())
      .nullish(),
  }),
  Mounts: z.array(
    z.object({
      Type: z.string(),
      Name: z.string().optional(),
      Source: z.string().optional(),
      Destination: z.string(),
    }),
  ),
  NetworkSettings: z.object({ Networks: z.record(z.string(), z.unknown()).nullish() }),
});

/** A volume that the engine named is anonymous: 64 hexadecimal digits. */
const ANONYMOUS = /^[0-9a-f]{64}$/;

/** A container of `docker run`, or of `docker compose`. */
export const fromContainer = ({
  Name,
  Config,
  HostConfig,
  Mounts,
  NetworkSettings,
}: z.infer<typeof INSPECTED>): OldService => ({
  name: Name.replace(/^\//, ""),
  stack: "",
  image: withoutDigest(Config.Image),
  user: Config.User ?? "",
  environment: variablesOf(Config.Env ?? []),
  labels: Config.Labels ?? {},
  mounts: Mounts.map(({ Type, Name: name = "", Source = "", Destination }) => ({
    type: Type,
    source: Type === "volume" ? (ANONYMOUS.test(name) ? "" : name) : Source,
    target: Destination,
  })),
  files: [],
  networks: Object.keys(NetworkSettings.Networks ?? {}).map((name) => ({ name, external: true })),
  constraints: [],
  ports: Object.entries(HostConfig.PortBindings ?? {}).flatMap(([port, bindings]) =>
    (bindings ?? []).map(({ HostPort }) => ({
      target: Number.parseInt(port, 10),
      published: Number(HostPort),
    })),
  ),
  dnsrr: false,
});
