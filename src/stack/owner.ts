import type { ComposeFile } from "./composeModel.js";

/** The label of everything that Hephaestus creates in a Swarm; its value is the stack's name. */
export const OWNER_LABEL = "hephaestus.stack";

/** Every service that a stack can have, without the stack's name. */
export const SERVICE_NAMES = [
  "registry",
  "reader",
  "gateway",
  "registry-ui",
  "registry-admin",
  "mirror",
  "notifier",
  "registry-metrics",
] as const;

/** The model with the owner's label on its services, configs and own networks. */
export function withOwner(stack: string, model: ComposeFile): ComposeFile {
  const label = { [OWNER_LABEL]: stack };
  return {
    ...model,
    services: mapValues(model.services, (service) => ({
      ...service,
      deploy: { ...service.deploy, labels: { ...label, ...service.deploy.labels } },
    })),
    networks: mapValues(model.networks, (network) =>
      "external" in network ? network : { ...network, labels: label },
    ),
    configs: mapValues(model.configs, (config) => ({ ...config, labels: label })),
  };
}

const mapValues = <T>(record: Readonly<Record<string, T>>, change: (value: T) => T): Record<string, T> =>
  Object.fromEntries(Object.entries(record).map(([key, value]) => [key, change(value)]));
