import { type Config, compareVersions } from "../config/resolve.js";
import { goNanoseconds } from "../docker/goDuration.js";
import type { SwarmService } from "../docker/objects.js";
import type { Finding } from "./findings.js";

/** Traefik as a service of this Swarm: what it is started with says what no label can change. */

/** Traefik's static configuration, by option in lower case: providers.swarm.constraints. */
export type TraefikOptions = ReadonlyMap<string, string>;

export const isTraefik = ({ Spec }: SwarmService): boolean =>
  /(?:^|\/)traefik(?:[:@]|$)/.test(Spec.TaskTemplate.ContainerSpec.Image);

/** Whether an option is set, or one below it. */
export const hasOption = (options: TraefikOptions, key: string): boolean =>
  [...options.keys()].some((name) => name === key || name.startsWith(`${key}.`));

/**
 * What the service is started with. Traefik reads one source alone: a file, or arguments, or variables.
 *
 * @returns undefined where a file has it, which is not read here
 */
export function optionsOf({ Spec }: SwarmService): TraefikOptions | undefined {
  const { Command = [], Args = [], Env = [], Configs = [], Mounts = [] } = Spec.TaskTemplate.ContainerSpec;
  const places = [...Configs.map(({ File }) => File?.Name ?? ""), ...Mounts.map(({ Target }) => Target)];
  if (places.some((place) => /\/traefik(?:\.(?:ya?ml|toml))?\/?$/.test(place))) return undefined;
  const options = flagsIn([...Command, ...Args]);
  if (options.has("configfile")) return undefined;
  if (options.size > 0) return options;
  const variables = new Map(
    Env.map((line) => /^TRAEFIK_([A-Z0-9_]+)=(.*)$/s.exec(line))
      .filter((found) => found !== null)
      .map(([, name = "", value = ""]) => [name.toLowerCase().replaceAll("_", "."), value]),
  );
  // It does nothing without settings, so its image has a file.
  return variables.size > 0 ? variables : undefined;
}

/** --name=value, --name value, and --name alone. Source: traefik/paerser, flag. */
function flagsIn(words: readonly string[]): Map<string, string> {
  const options = new Map<string, string>();
  for (const [index, word] of words.entries()) {
    const [, name, value] = /^--?([a-zA-Z][^=]*)(?:=(.*))?$/s.exec(word) ?? [];
    if (name === undefined) continue;
    const next = words[index + 1];
    options.set(name.toLowerCase(), value ?? (next === undefined || next.startsWith("-") ? "true" : next));
  }
  return options;
}

/** A layer of some gigabytes over a line of a few megabytes a second. */
const LEAST_READ_SECONDS = 600;

/** What an entrypoint has where nothing is set, and since when; before, there was no limit. Source: traefik/traefik#10602. */
const DEFAULT_READ_TIMEOUT = { seconds: 60, since: "2.11.2" };

/** How Traefik is given a read timeout that large layers fit. */
export const readTimeoutFlag = ({ traefik }: Pick<Config, "traefik">): string =>
  `--entryPoints.${traefik.entrypoint}.transport.respondingTimeouts.readTimeout=15m`;

/**
 * A read timeout as a finding.
 *
 * @param seconds of the timeout; 0 is no limit, and undefined what is no duration
 * @returns undefined where large layers fit
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
 * @returns the finding, or why it cannot be known; neither where nothing is wrong
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

/** @returns undefined where neither arguments nor variables tell */
function readTimeoutOf(
  { traefik: { entrypoint } }: Config,
  service: SwarmService,
): { seconds: number | undefined; evidence: string } | undefined {
  const { Name, TaskTemplate } = service.Spec;
  const key = `entrypoints.${entrypoint.toLowerCase()}`;
  const options = optionsOf(service);
  // Where nothing names the entrypoint, the image has a file.
  if (options === undefined || !hasOption(options, key)) return undefined;
  const set = options.get(`${key}.transport.respondingtimeouts.readtimeout`);
  if (set !== undefined) {
    return {
      seconds: goSeconds(set),
      evidence: `service ${Name}: readTimeout is ${set} for ${entrypoint}`,
    };
  }
  const [, version] = /:v?(\d+\.\d+(?:\.\d+)?)/.exec(TaskTemplate.ContainerSpec.Image) ?? [];
  const { seconds, since } = DEFAULT_READ_TIMEOUT;
  // A tag such as 2.11 stands for its newest version.
  const isOlder = version !== undefined && !since.startsWith(version) && compareVersions(version, since) < 0;
  return {
    seconds: isOlder ? 0 : seconds,
    evidence: `service ${Name} sets no readTimeout for ${entrypoint}, and the default is ${seconds} seconds`,
  };
}

/**
 * A duration as Traefik writes it ("1m0s", "60000000000ns"; a bare number is of seconds), in seconds.
 *
 * @returns undefined where it is none
 */
export function goSeconds(text: string): number | undefined {
  if (/^\d+$/.test(text)) return Number(text);
  const nanoseconds = goNanoseconds(text);
  return nanoseconds === undefined ? undefined : nanoseconds / 1e9;
}
