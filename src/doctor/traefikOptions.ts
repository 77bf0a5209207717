import { type Config, compareVersions } from "../config/resolve.js";
import { providerOf } from "../services/traefikLabels.js";
import type { SwarmService } from "../swarm/objects.js";

/** Traefik as a service of this Swarm: what it is started with says what no label can change. */

/** Traefik's static configuration, by option in lower case: providers.swarm.constraints. */
export type TraefikOptions = ReadonlyMap<string, string>;

/** What starts the provider that reads services of a Swarm, by the line of Traefik. */
export const PROVIDER_FLAGS = {
  2: "--providers.docker.swarmMode=true",
  3: "--providers.swarm=true",
} as const;

/** The provider's key in Traefik's static configuration. */
export const providerKey = (config: Config): `providers.${"docker" | "swarm"}` =>
  `providers.${providerOf(config)}`;

export const isTraefik = ({ Spec }: SwarmService): boolean =>
  /(?:^|\/)traefik(?:[:@]|$)/.test(Spec.TaskTemplate.ContainerSpec.Image);

/** The version that the tag of its image names, such as 3.5. */
export const taggedVersion = ({ Spec }: SwarmService): string | undefined =>
  /:v?(\d+\.\d+(?:\.\d+)?)/.exec(Spec.TaskTemplate.ContainerSpec.Image)?.[1];

/** Whether a version is older than another. A tag such as 2.11 stands for its newest version. */
export const isOlder = (version: string, than: string): boolean =>
  !`${than}.`.startsWith(`${version}.`) && compareVersions(version, than) < 0;

/** Whether an option is set, or one below it. */
export const hasOption = (options: TraefikOptions, key: string): boolean =>
  [...options.keys()].some((name) => name === key || name.startsWith(`${key}.`));

/**
 * What the service is started with. Traefik reads one source alone: a file, or arguments, or variables.
 *
 * @returns undefined if a file has it, which is not read here
 */
export function optionsOf({ Spec }: SwarmService): TraefikOptions | undefined {
  const { Args = [], Env = [], Configs = [], Mounts = [] } = Spec.TaskTemplate.ContainerSpec;
  const places = [...Configs.map(({ File }) => File?.Name ?? ""), ...Mounts.map(({ Target }) => Target)];
  if (places.some((place) => /\/traefik(?:\.(?:ya?ml|toml))?\/?$/.test(place))) return undefined;
  const flags = found(Args, /^--?([a-zA-Z][^=]*)(?:=(.*))?$/s);
  const variables = found(Env, /^TRAEFIK_([A-Z0-9_]+)=(.*)$/s).map(
    ([name, value]) => [name.replaceAll("_", "."), value] as const,
  );
  const options = new Map(flags.length > 0 ? flags : variables);
  // It does nothing without settings, so without any its image has a file.
  return options.size === 0 || options.has("configfile") ? undefined : options;
}

/**
 * Names of a section, such as entrypoints, as the arguments write them; those of variables in lower case.
 */
export function namesIn({ Spec }: SwarmService, section: string): string[] {
  const { Args = [], Env = [] } = Spec.TaskTemplate.ContainerSpec;
  const namesOf = (lines: readonly string[], pattern: RegExp) =>
    lines.flatMap((line) => pattern.exec(line)?.[1] ?? []);
  const flags = namesOf(Args, new RegExp(`^--?${section}\\.([^.=]+)\\.`, "i"));
  const variables = namesOf(Env, new RegExp(`^TRAEFIK_${section}_([A-Z0-9]+)_`, "i"));
  return [...new Set(flags.length > 0 ? flags : variables.map((name) => name.toLowerCase()))];
}

const found = (lines: readonly string[], option: RegExp) =>
  lines.flatMap((line) => {
    const [, name, value = "true"] = option.exec(line) ?? [];
    return name === undefined ? [] : [[name.toLowerCase(), value] as const];
  });
