import type { Config } from "../config/resolve.js";
import { providerOf } from "../services/traefikLabels.js";
import { type Labels, labelsWanted } from "./constraint.js";

/** What starts the provider that reads services of a Swarm, by the line of Traefik. */
export const PROVIDER_FLAGS = {
  2: "--providers.docker.swarmMode=true",
  3: "--providers.swarm=true",
} as const;

/** Where the provider stands in Traefik's static configuration. */
export const providerKey = (config: Config): `providers.${"docker" | "swarm"}` =>
  `providers.${providerOf(config)}`;

/** How a service comes to fit a constraint. */
export function constraintRemedy(constraint: string, labels: Labels): string {
  const wanted = Object.entries(labelsWanted(constraint, labels));
  if (wanted.length === 0) return "Add the labels that it asks for under traefik.labels, and deploy.";
  const list = wanted.map(([name, value]) => `${name}: ${value}`).join(", ");
  return `Set traefik.labels: { ${list} }, and deploy.`;
}
