/**
 * A service of a compose file as the spec that `docker stack deploy` makes of it.
 * Source: docker/cli, cli/compose/convert/service.go. It covers what src/stack/compose.ts can hold.
 */

/** A part of a spec, as `docker service inspect` prints it. */
export type Spec = { [key: string]: unknown };

/** What `docker stack config` prints, as far as it is read here: every short form is a long one there. */
export interface ComposedStack {
  services: Record<string, ComposedService>;
  networks?: Record<string, Named | null>;
  configs?: Record<string, Named & { file?: string }>;
  secrets?: Record<string, Named>;
}

interface Named {
  name?: string;
  external?: boolean;
}

interface FileMount {
  source: string;
  target?: string;
  uid?: string;
  gid?: string;
  mode?: number;
}

interface ComposedService {
  image: string;
  user?: string;
  entrypoint?: string[];
  command?: string[];
  environment?: Record<string, string>;
  labels?: Record<string, string>;
  networks?: Record<string, { aliases?: string[] } | null>;
  ports?: Array<{ target: number; published?: number; protocol: string; mode: string }>;
  volumes?: Array<{
    type: string;
    source?: string;
    target: string;
    read_only?: boolean;
    tmpfs?: { size?: number };
  }>;
  configs?: FileMount[];
  secrets?: FileMount[];
  read_only?: boolean;
  cap_add?: string[];
  cap_drop?: string[];
  healthcheck?: {
    test?: string[];
    interval?: string;
    timeout?: string;
    retries?: number;
    start_period?: string;
  };
  stop_signal?: string;
  stop_grace_period?: string;
  logging?: { driver?: string; options?: Record<string, string> };
  deploy?: ComposedDeploy;
}

interface ComposedDeploy {
  replicas?: number;
  endpoint_mode?: string;
  labels?: Record<string, string>;
  placement?: { constraints?: string[]; max_replicas_per_node?: number };
  resources?: { limits?: Amounts; reservations?: Amounts };
  restart_policy?: { condition?: string; delay?: string; window?: string; max_attempts?: number };
  update_config?: ComposedUpdate;
  rollback_config?: ComposedUpdate;
}

interface Amounts {
  cpus?: string;
  memory?: string;
}

interface ComposedUpdate {
  parallelism?: number;
  delay?: string;
  failure_action?: string;
  monitor?: string;
  max_failure_ratio?: number;
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
        MaxAttempts: deploy.restart_policy?.max_attempts,
        Window: nanoseconds(deploy.restart_policy?.window),
      },
      Placement: {
        Constraints: deploy.placement?.constraints,
        MaxReplicas: deploy.placement?.max_replicas_per_node,
      },
      Networks: Object.entries(service.networks ?? { default: null }).map(([key, network]) => ({
        Target: compose.networks?.[key]?.name ?? `${stack}_${key}`,
        Aliases: [...(network?.aliases ?? []), name],
      })),
      LogDriver: { Name: service.logging?.driver, Options: service.logging?.options },
    },
    Mode: { Replicated: { Replicas: deploy.replicas ?? 1 } },
    UpdateConfig: updateConfig(deploy.update_config),
    RollbackConfig: updateConfig(deploy.rollback_config),
    EndpointSpec: {
      Mode: deploy.endpoint_mode ?? "vip",
      Ports: service.ports?.map(({ target, published, protocol, mode }) => ({
        Protocol: protocol,
        TargetPort: target,
        PublishedPort: published,
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
    ReadOnly: service.read_only,
    Mounts: service.volumes?.map(({ type, source, target, read_only, tmpfs }) => ({
      Type: type,
      Source: source,
      Target: target,
      ReadOnly: read_only,
      TmpfsOptions: { SizeBytes: tmpfs?.size },
    })),
    StopSignal: service.stop_signal,
    StopGracePeriod: nanoseconds(service.stop_grace_period),
    Healthcheck: {
      Test: healthcheck?.test,
      Interval: nanoseconds(healthcheck?.interval),
      Timeout: nanoseconds(healthcheck?.timeout),
      StartPeriod: nanoseconds(healthcheck?.start_period),
      Retries: healthcheck?.retries,
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
  };
}

/** The CLI's own defaults: root, readable by everybody. */
const mountedFile = ({ target, uid, gid, mode }: FileMount, fallback: string): Spec => ({
  Name: target ?? fallback,
  UID: uid ?? "0",
  GID: gid ?? "0",
  Mode: mode ?? 0o444,
});

const amounts = (amounts: Amounts | undefined): Spec => ({
  NanoCPUs: amounts?.cpus === undefined ? undefined : Math.round(Number(amounts.cpus) * 1e9),
  MemoryBytes: amounts?.memory === undefined ? undefined : Number(amounts.memory),
});

const updateConfig = (config: ComposedUpdate | undefined): Spec | undefined =>
  config && {
    Parallelism: config.parallelism,
    Delay: nanoseconds(config.delay),
    FailureAction: config.failure_action ?? "pause",
    Monitor: nanoseconds(config.monitor),
    MaxFailureRatio: config.max_failure_ratio,
    Order: config.order,
  };

const UNIT_NANOSECONDS: Record<string, number> = {
  ns: 1,
  us: 1e3,
  µs: 1e3,
  ms: 1e6,
  s: 1e9,
  m: 60e9,
  h: 3600e9,
};

/** Nanoseconds of a duration as Go writes it: 15m10s, 1.5s, 500ms. */
export function nanoseconds(duration: string | undefined): number | undefined {
  if (duration === undefined) return undefined;
  const parts = [...duration.matchAll(/([\d.]+)(ns|us|µs|ms|s|m|h)/g)];
  const sum = parts.map(([, number, unit = ""]) => Number(number) * (UNIT_NANOSECONDS[unit] ?? 0));
  return Math.round(sum.reduce((total, part) => total + part, 0));
}
