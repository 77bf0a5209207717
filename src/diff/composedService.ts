import { parse } from "yaml";
import { goNanoseconds } from "../docker/goDuration.js";
import {
  type Amounts,
  type ComposeFile,
  FileMode,
  Interpolated,
  type Service,
} from "../services/composeModel.js";
import type { Session } from "../session.js";
import { COMPOSE_FILE } from "../stack.js";
import { STACK_LABEL } from "../swarm/objects.js";

/**
 * The model of a compose file that Hephaestus rendered, the inverse of `composeText`. A deploy and a rollback
 * give docker a file, and the file of a record may come from another version of this program: what it says is
 * what happens. Pure.
 */
export const readComposeFile = (text: string): ComposeFile =>
  parse(text, modelValue, { version: "1.1" }) as ComposeFile;

function modelValue(key: unknown, value: unknown): unknown {
  if (typeof value === "number" && key === "mode") return new FileMode(value);
  if (typeof value !== "string") return value;
  const isInterpolated = value.replaceAll("$$", "").includes("$");
  return isInterpolated ? new Interpolated(value) : value.replaceAll("$$", "$");
}

/** Full names of the services that the compose file of a stack has. Pure. */
export const wantedServices = ({ config, files }: Pick<Session, "config" | "files">): Set<string> => {
  const { services } = readComposeFile(files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "");
  return new Set(Object.keys(services).map((name) => `${config.stack}_${name}`));
};

/** A part of a spec, as `docker service inspect` prints it. */
export type Spec = { [key: string]: unknown };

/** The label by which `docker stack deploy` knows the image that it was given. */
export const IMAGE_LABEL = "com.docker.stack.image";

/**
 * A service of a compose file as the spec that `docker stack deploy` makes of it. Pure. Source: docker/cli,
 * cli/compose/convert/service.go.
 *
 * @param stack name of the stack, which the names of services and networks begin with
 * @param name the service's name in the compose file
 * @param variables what the compose file interpolates
 */
export function composedSpec(
  stack: string,
  compose: ComposeFile,
  name: string,
  variables: Readonly<Record<string, string>>,
): Spec {
  const service = compose.services[name] as Service;
  const { deploy, networks } = service;
  const attached: Array<[string, { aliases?: string[] }]> = Array.isArray(networks)
    ? networks.map((network) => [network, {}])
    : Object.entries(networks);
  return {
    Name: `${stack}_${name}`,
    Labels: { ...deploy.labels, [IMAGE_LABEL]: service.image, [STACK_LABEL]: stack },
    TaskTemplate: {
      ContainerSpec: containerSpec(stack, compose, service, variables),
      Resources: {
        Limits: amounts(deploy.resources.limits),
        Reservations: amounts(deploy.resources.reservations ?? {}),
      },
      RestartPolicy: inSpec(deploy.restart_policy),
      Placement: {
        Constraints: deploy.placement?.constraints,
        Preferences: deploy.placement?.preferences?.map(({ spread }) => ({
          Spread: { SpreadDescriptor: spread },
        })),
        MaxReplicas: deploy.placement?.max_replicas_per_node,
      },
      Networks: attached.map(([key, { aliases = [] }]) => {
        const network = compose.networks[key];
        const isNamed = network !== undefined && "name" in network;
        return { Target: isNamed ? network.name : `${stack}_${key}`, Aliases: [...aliases, name] };
      }),
      LogDriver: { Name: service.logging.driver, Options: service.logging.options },
    },
    Mode: { Replicated: { Replicas: deploy.replicas } },
    UpdateConfig: inSpec(deploy.update_config),
    // The engine's own default.
    RollbackConfig: { FailureAction: "pause", ...inSpec(deploy.rollback_config) },
    EndpointSpec: {
      Mode: deploy.endpoint_mode,
      Ports: service.ports?.map(({ target, published, protocol, mode }) => ({
        Protocol: protocol,
        TargetPort: target,
        PublishedPort: published,
        PublishMode: mode,
      })),
    },
  };
}

function containerSpec(
  stack: string,
  { configs, secrets, volumes = {} }: ComposeFile,
  service: Service,
  variables: Readonly<Record<string, string>>,
): Spec {
  const namespace = { [STACK_LABEL]: stack };
  const nameOf = (name: string | Interpolated = "") =>
    name instanceof Interpolated ? interpolated(name, variables) : name;
  return {
    Image: service.image,
    Labels: namespace,
    Command: service.entrypoint,
    Env: Object.entries(service.environment ?? {}).map(([key, value]) => `${key}=${value}`),
    User: service.user,
    ReadOnly: service.read_only,
    Mounts: service.volumes?.map((mount) => ({
      Type: mount.type,
      Target: mount.target,
      ...(mount.type === "bind" ? { Source: mount.source, ReadOnly: mount.read_only } : {}),
      ...(mount.type === "volume"
        ? {
            Source: volumes[mount.source]?.name,
            ReadOnly: mount.read_only,
            VolumeOptions: {
              ...(volumes[mount.source]?.external ? {} : { Labels: namespace }),
              NoCopy: mount.volume?.nocopy,
            },
          }
        : {}),
      ...(mount.type === "tmpfs" ? { TmpfsOptions: { SizeBytes: mount.tmpfs.size } } : {}),
    })),
    StopSignal: service.stop_signal,
    StopGracePeriod: goNanoseconds(service.stop_grace_period),
    Healthcheck: inSpec(service.healthcheck ?? {}),
    Secrets: service.secrets?.map(({ source, target, uid, gid, mode }) => ({
      File: { Name: target, UID: uid, GID: gid, Mode: mode.bits },
      SecretName: nameOf(secrets[source]?.name),
    })),
    // The CLI's own defaults: root, readable by everybody.
    Configs: service.configs?.map(({ source, target }) => ({
      File: { Name: target, UID: "0", GID: "0", Mode: 0o444 },
      ConfigName: configs[source]?.name,
    })),
    CapabilityAdd: service.cap_add,
    CapabilityDrop: service.cap_drop,
    Sysctls: service.sysctls,
    Ulimits: Object.entries(service.ulimits ?? {}).map(([name, { soft, hard }]) => ({
      Name: name,
      Hard: hard,
      Soft: soft,
    })),
  };
}

/** `${NAME:-default}` in a text. */
const interpolated = ({ text }: Interpolated, variables: Readonly<Record<string, string>>): string =>
  text.replace(/\$\{(\w+):-([^}]*)\}/g, (_, name: string, fallback: string) => variables[name] || fallback);

/**
 * A group of settings whose keys are the same words in both: failure_action and FailureAction. Durations
 * become nanoseconds.
 */
const inSpec = (settings: object): Spec =>
  Object.fromEntries(
    Object.entries(settings).map(([key, value]) => [
      key.replace(/(?:^|_)([a-z])/g, (_, letter: string) => letter.toUpperCase()),
      typeof value === "string" ? (goNanoseconds(value) ?? value) : value,
    ]),
  );

const amounts = ({ cpus, memory, pids }: Amounts & { pids?: number }): Spec => ({
  NanoCPUs: cpus === undefined ? undefined : Math.round(Number(cpus) * 1e9),
  MemoryBytes: memory === undefined ? undefined : bytes(memory),
  Pids: pids,
});

/** "1G", "512m" and "64MB" in bytes. Source: docker/go-units, RAMInBytes. */
function bytes(size: string): number {
  const [, amount, unit = ""] = /^(\d+)([kmgt]?)b?$/i.exec(size) ?? [];
  return Number(amount) * 1024 ** ["", "k", "m", "g", "t"].indexOf(unit.toLowerCase());
}
