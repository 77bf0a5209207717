import { generationVariables, HTPASSWD, secretName } from "../credentials/names.js";
import { setupHost } from "../host/setupHost.js";
import { COMPOSE_FILE } from "../render/files.js";
import { type SwarmService, stackServices } from "../swarm/objects.js";
import { stackSecretNames } from "../swarm/secrets.js";
import type { DeployContext, Step } from "./context.js";
import { describeChange } from "./steps.js";

/** The steps of --dry-run: each says what the real one would do, and touches nothing. */
export const PLAN_STEPS: readonly Step[] = [
  {
    id: "setup-host",
    title: "Host",
    skip: ({ options }) => (options.hostSetup ? undefined : "--skip-host-setup"),
    async run({ config, host }) {
      const { ready, output } = await setupHost(config, host, true);
      return ready ? "ready" : `would prepare it: ${output.split("\n").join("; ")}`;
    },
  },
  {
    id: "secrets",
    title: "Secrets",
    async run({ config, docker, generations: { people }, change }) {
      const names = await stackSecretNames(docker, config.stack);
      if (names.includes(secretName(config.stack, HTPASSWD, people)))
        return `generation ${people} would be kept`;
      return `generation ${people} would be created${change ? `: ${describeChange(change)}` : ""}`;
    },
  },
  {
    id: "rollout",
    title: "Stack",
    async run(context) {
      const changes = planServices(
        await wantedServices(context),
        await stackServices(context.docker, context.config.stack),
      );
      return changes.length === 0 ? "nothing would change" : changes.join("; ");
    },
  },
];

/** What of a service is compared: what makes its tasks new ones. */
export interface ServiceSketch {
  name: string;
  image: string;
  replicas: number;
  environment: string[];
  configs: string[];
  secrets: string[];
}

interface ComposeService {
  image: string;
  environment?: Record<string, string>;
  configs?: Array<{ source: string }>;
  secrets?: Array<{ source: string }>;
  deploy: { replicas: number };
}

/** The services as docker itself understands the compose file with the generation filled in. */
async function wantedServices({
  config,
  docker,
  options,
  generations,
}: DeployContext): Promise<ServiceSketch[]> {
  const text = await docker.run(["stack", "config", "--compose-file", COMPOSE_FILE], {
    directory: options.folder,
    environment: generationVariables(generations),
  });
  const { parse } = await import("yaml");
  const compose = parse(text) as {
    services: Record<string, ComposeService>;
    configs: Record<string, { name: string }>;
    secrets: Record<string, { name: string }>;
  };
  return Object.entries(compose.services).map(([name, service]) => ({
    name: `${config.stack}_${name}`,
    image: service.image,
    replicas: service.deploy.replicas,
    environment: Object.entries(service.environment ?? {}).map(([key, value]) => `${key}=${value}`),
    configs: (service.configs ?? []).map(({ source }) => compose.configs[source]?.name ?? source),
    secrets: (service.secrets ?? []).map(({ source }) => compose.secrets[source]?.name ?? source),
  }));
}

function sketch({ Spec }: SwarmService): ServiceSketch {
  const { Image, Env = [], Configs = [], Secrets = [] } = Spec.TaskTemplate.ContainerSpec;
  return {
    name: Spec.Name,
    // The engine adds the digest that the tag meant when it was deployed.
    image: Image.replace(/(:[\w][\w.-]*)@sha256:\w+$/, "$1"),
    replicas: Spec.Mode.Replicated?.Replicas ?? 1,
    environment: Env,
    configs: Configs.map(({ ConfigName }) => ConfigName),
    secrets: Secrets.map(({ SecretName }) => SecretName),
  };
}

/** What would become of each service, in words; nothing for those that stay as they are. Pure. */
export function planServices(wanted: readonly ServiceSketch[], running: readonly SwarmService[]): string[] {
  const present = new Map(running.map((service) => [service.Spec.Name, sketch(service)]));
  const changes = wanted.flatMap((service) => {
    const now = present.get(service.name);
    if (!now) return [`create ${service.name} (${service.image})`];
    const differences = (["image", "replicas", "environment", "configs", "secrets"] as const).flatMap(
      (part) => {
        const [from, to] = [shown(now[part]), shown(service[part])];
        return from === to ? [] : [`${part} ${from} -> ${to}`];
      },
    );
    return differences.length === 0 ? [] : [`update ${service.name}: ${differences.join(", ")}`];
  });
  const names = new Set(wanted.map(({ name }) => name));
  const removed = [...present.keys()].filter((name) => !names.has(name)).map((name) => `remove ${name}`);
  return [...changes, ...removed];
}

const shown = (value: string | number | string[]): string =>
  Array.isArray(value) ? `[${[...value].sort().join(" ")}]` : String(value);
