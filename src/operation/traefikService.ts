import { type Config, compareVersions } from "../config/resolve.js";
import { goNanoseconds } from "../docker/goDuration.js";
import type { SwarmService } from "../docker/objects.js";
import { providerOf } from "../services/traefikLabels.js";
import type { Finding } from "./findings.js";

/** Traefik as a service of this Swarm: what it is started with says what no label can change. */

/** Traefik's static configuration, by option in lower case: providers.swarm.constraints. */
export type TraefikOptions = ReadonlyMap<string, string>;

/** What starts the provider that reads services of a Swarm, by the line of Traefik. */
export const PROVIDER_FLAGS = {
  2: "--providers.docker.swarmMode=true",
  3: "--providers.swarm=true",
} as const;

/** Where the provider stands in Traefik's static configuration. */
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

const found = (lines: readonly string[], option: RegExp) =>
  lines.flatMap((line) => {
    const [, name, value = "true"] = option.exec(line) ?? [];
    return name === undefined ? [] : [[name.toLowerCase(), value] as const];
  });

/** A layer of some gigabytes over a line of a few megabytes a second. */
const LEAST_READ_SECONDS = 600;

/** What an entrypoint has if nothing is set, and since when; before, there was no limit. Source: traefik/traefik#10602. */
const DEFAULT_READ_SECONDS = 60;
const FIRST_WITH_A_LIMIT = "2.11.2";

/** How Traefik is given a read timeout that large layers fit. */
export const readTimeoutFlag = ({ traefik }: Pick<Config, "traefik">): string =>
  `--entryPoints.${traefik.entrypoint}.transport.respondingTimeouts.readTimeout=15m`;

/**
 * A read timeout as a finding.
 *
 * @param seconds of the timeout; 0 is no limit, and undefined is no duration
 * @returns undefined if large layers fit
 */
export function judgeReadSeconds(
  config: Config,
  seconds: number | undefined,
  evidence: string,
): Finding | undefined {
  if (seconds === undefined || seconds === 0 || seconds >= LEAST_READ_SECONDS) return undefined;
  return {
    id: "read-timeout-short",
    severity: "warning",
    message: `Traefik cuts every upload that takes longer than ${seconds} seconds: large layers fail`,
    evidence,
    remedy: `Start Traefik with: ${readTimeoutFlag(config)}`,
  };
}

/**
 * Whether Traefik's entrypoint cuts large layers, by the services of the Swarm. Several Traefiks may share the Swarm: it is
 * enough that one of them does not.
 *
 * @param services all of the Swarm
 * @returns the finding, or why it cannot be known; neither if nothing is wrong
 */
export function readTimeout(
  config: Config,
  services: readonly SwarmService[],
): { finding?: Finding; unknown?: string } {
  if (config.expose !== "traefik") return {};
  const what = `whether Traefik cuts large layers (the readTimeout of its entrypoint ${config.traefik.entrypoint})`;
  const traefiks = services.filter(isTraefik);
  if (traefiks.length === 0) return { unknown: `${what}: no service of this Swarm is a Traefik` };
  let first: Finding | undefined;
  let unknown: string | undefined;
  for (const traefik of traefiks) {
    const seen = readTimeoutOf(config, traefik);
    if (seen === undefined) unknown = `${what}: ${traefik.Spec.Name} has its settings in a file`;
    else {
      const finding = judgeReadSeconds(config, seen.seconds, seen.evidence);
      if (finding === undefined) return {};
      first ??= finding;
    }
  }
  return unknown !== undefined ? { unknown } : first ? { finding: first } : {};
}

/** @returns undefined if neither arguments nor variables tell */
function readTimeoutOf(
  { traefik: { entrypoint } }: Config,
  service: SwarmService,
): { seconds: number | undefined; evidence: string } | undefined {
  const { Name } = service.Spec;
  const key = `entrypoints.${entrypoint.toLowerCase()}`;
  const options = optionsOf(service);
  // If nothing names the entrypoint, the image has a file.
  if (options === undefined || !hasOption(options, key)) return undefined;
  const set = options.get(`${key}.transport.respondingtimeouts.readtimeout`);
  if (set !== undefined) {
    return {
      seconds: goSeconds(set),
      evidence: `service ${Name}: readTimeout is ${set} for ${entrypoint}`,
    };
  }
  const version = taggedVersion(service);
  const seconds = version !== undefined && isOlder(version, FIRST_WITH_A_LIMIT) ? 0 : DEFAULT_READ_SECONDS;
  return {
    seconds,
    evidence: `service ${Name} sets no readTimeout for ${entrypoint}, and the default is ${seconds} seconds`,
  };
}

/**
 * A duration as Traefik writes it ("1m0s", "60000000000ns"; a bare number is of seconds), in seconds.
 *
 * @returns undefined if it is none
 */
export function goSeconds(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const nanoseconds = goNanoseconds(text);
  return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
}
