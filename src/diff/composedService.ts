import { goNanoseconds } from "../docker/goDuration.js";

/**
 * A service of a compose file as the spec that `docker stack deploy` makes of it.
 * Source: docker/cli, cli/compose/convert/service.go. It covers what src/stack/compose.ts can hold.
 */

/** A part of a spec, as `docker service inspect` prints it. */
export type Spec = { [key: string]: unknown };

/**
 * What `docker stack config` prints, as far as it is read here: every short form is a long one there. Each value is text
 * as it stands there (YAML's failsafe schema), whatever it looks like: an environment variable may be 0o17 or yes.
 */
export interface ComposedStack {
  volumes?: Record<string, { name?: string } | null>;
  services: Record<string, ComposedService>;
  networks?: Record<string, Named | string>;
  configs?: Record<string, Named & { file?: string }>;
  secrets?: Record<string, Named>;
}

interface Named {
  name?: string;
}

interface FileMount {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: string;
}

interface ComposedService {
  image: string;
  user?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  labels?: Record<string, string>;
  networks?: Record<string, { aliases?: string[] } | string>;
  ports?: Array<{ target: string; published?: string; protocol: string; mode: string }>;
  volumes?: Array<{
    type: string;
    source?: string;
    target: string;
    read_only?: string;
    tmpfs?: { size?: string };
  }>;
  configs?: FileMount[];
  secrets?: FileMount[];
  read_only?: string;
  cap_add?: string[];
  cap_drop?: string[];
  healthcheck?: {
    test?: string[];
    interval?: string;
    timeout?: string;
    retries?: string;
    start_period?: string;
  };
  ulimits?: Record<string, { soft: string; hard: string } | string>;
  sysctls?: Record<string, string>;
  stop_signal?: string;
  stop_grace_period?: string;
  logging?: { driver?: string; options?: Record<string, string> };
  deploy?: ComposedDeploy;
}

interface ComposedDeploy {
  replicas?: string;
  endpoint_mode?: string;
  labels?: Record<string, string>;
  placement?: { constraints?: string[]; preferences?: { spread: string }[]; max_replicas_per_node?: string };
  resources?: { limits?: Amounts; reservations?: Amounts };
  restart_policy?: { condition?: string; delay?: string; window?: string; max_attempts?: string };
  update_config?: ComposedUpdate;
  rollback_config?: ComposedUpdate;
}

interface Amounts {
  cpus?: string;
  memory?: string;
  /** Of limits alone. */
  pids?: string;
}

interface ComposedUpdate {
  parallelism?: string;
  delay?: string;
  failure_action?: string;
  monitor?: string;
  max_failure_ratio?: string;
  order?: string;
}

/**
 * The spec of one service.
 *
 * @param stack name of the stack, which the names of services and networks begin with
 * @param compose the parsed output of `docker stack config`
 * @param name the service's name in the compose file
 */
export function composedSpec(stack: string, compose: ComposedStack, name: string): Spec {
  const service = compose.services[name] as ComposedService;
  const deploy = service.deploy ?? {};
  return {
    Name: `${stack}_${name}`,
    Labels: {
      ...deploy.labels,
      "com.docker.stack.image": service.image,
      "com.docker.stack.namespace": stack,
    },
    TaskTemplate: {
      ContainerSpec: containerSpec(stack, compose, service),
      Resources: {
        Limits: amounts(deploy.resources?.limits),
        Reservations: amounts(deploy.resources?.reservations),
      },
      RestartPolicy: {
        Condition: deploy.restart_policy?.condition,
        Delay: nanoseconds(deploy.restart_policy?.delay),
        MaxAttempts: number(deploy.restart_policy?.max_attempts),
        Window: nanoseconds(deploy.restart_policy?.window),
      },
      Placement: {
        Constraints: deploy.placement?.constraints,
        Preferences: deploy.placement?.preferences?.map(({ spread }) => ({
          Spread: { SpreadDescriptor: spread },
        })),
        MaxReplicas: number(deploy.placement?.max_replicas_per_node),
      },
      Networks: Object.entries(service.networks ?? { default: "" }).map(([key, network]) => ({
        Target: group(compose.networks?.[key])?.name ?? `${stack}_${key}`,
        Aliases: [...(group(network)?.aliases ?? []), name],
      })),
      LogDriver: { Name: service.logging?.driver, Options: service.logging?.options },
    },
    Mode: { Replicated: { Replicas: number(deploy.replicas) ?? 1 } },
    UpdateConfig: updateConfig(deploy.update_config),
    RollbackConfig: updateConfig(deploy.rollback_config),
    EndpointSpec: {
      Mode: deploy.endpoint_mode ?? "vip",
      Ports: service.ports?.map(({ target, published, protocol, mode }) => ({
        Protocol: protocol,
        TargetPort: Number(target),
        PublishedPort: number(published),
        PublishMode: mode,
      })),
    },
  };
}

function containerSpec(stack: string, compose: ComposedStack, service: ComposedService): Spec {
  const { healthcheck } = service;
  return {
    Image: service.image,
    Labels: { ...service.labels, "com.docker.stack.namespace": stack },
    Command: service.entrypoint,
    Args: service.command,
    Env: Object.entries(service.environment ?? {}).map(([key, value]) => `${key}=${value}`),
    User: service.user,
    ReadOnly: service.read_only === "true",
    Mounts: service.volumes?.map(({ type, source, target, read_only, tmpfs }) => ({
      Type: type,
      Source: type === "volume" ? (compose.volumes?.[source ?? ""]?.name ?? `${stack}_${source}`) : source,
      Target: target,
      ReadOnly: read_only === "true",
      ...(type === "volume"
        ? { VolumeOptions: { Labels: { "com.docker.stack.namespace": stack } } }
        : { TmpfsOptions: { SizeBytes: number(tmpfs?.size) } }),
    })),
    StopSignal: service.stop_signal,
    StopGracePeriod: nanoseconds(service.stop_grace_period),
    Healthcheck: {
      Test: healthcheck?.test,
      Interval: nanoseconds(healthcheck?.interval),
      Timeout: nanoseconds(healthcheck?.timeout),
      StartPeriod: nanoseconds(healthcheck?.start_period),
      Retries: number(healthcheck?.retries),
    },
    Secrets: service.secrets?.map((mount) => ({
      File: mountedFile(mount, mount.source),
      SecretName: compose.secrets?.[mount.source]?.name ?? `${stack}_${mount.source}`,
    })),
    Configs: service.configs?.map((mount) => ({
      File: mountedFile(mount, `/${mount.source}`),
      ConfigName: compose.configs?.[mount.source]?.name ?? `${stack}_${mount.source}`,
    })),
    CapabilityAdd: service.cap_add,
    CapabilityDrop: service.cap_drop,
    Sysctls: service.sysctls,
    Ulimits: Object.entries(service.ulimits ?? {}).map(([name, limit]) => ({
      Name: name,
      Hard: Number(group(limit)?.hard ?? limit),
      Soft: Number(group(limit)?.soft ?? limit),
    })),
  };
}

/** The CLI's own defaults: root, readable by everybody. */
const mountedFile = ({ target, uid, gid, mode }: FileMount, fallback: string): Spec => ({
  Name: target ?? fallback,
  UID: uid ?? "0",
  GID: gid ?? "0",
  Mode: number(mode) ?? 0o444,
});

const amounts = (amounts: Amounts | undefined): Spec => ({
  NanoCPUs: amounts?.cpus === undefined ? undefined : Math.round(Number(amounts.cpus) * 1e9),
  MemoryBytes: number(amounts?.memory),
  Pids: number(amounts?.pids),
});

const updateConfig = (config: ComposedUpdate | undefined): Spec | undefined =>
  config && {
    Parallelism: number(config.parallelism),
    Delay: nanoseconds(config.delay),
    FailureAction: config.failure_action ?? "pause",
    Monitor: nanoseconds(config.monitor),
    MaxFailureRatio: number(config.max_failure_ratio),
    Order: config.order,
  };

const number = (text: string | undefined): number | undefined =>
  text === undefined ? undefined : Number(text);

/** What has no settings is `null` or empty, which are texts here. */
const group = <T extends object>(value: T | string | undefined): T | undefined =>
  typeof value === "object" ? value : undefined;

/** Nanoseconds of a duration of the compose file. */
export const nanoseconds = (duration: string | undefined): number | undefined =>
  duration === undefined ? undefined : goNanoseconds(duration);
