import type { Config } from "../config/resolve.js";
import { goNanoseconds } from "../docker/goDuration.js";
import { type Finding, findingKinds, warning } from "../finding.js";
import type { SwarmService } from "../swarm/objects.js";
import { hasOption, isOlder, isTraefik, optionsOf, taggedVersion } from "./traefikOptions.js";

export const TIMEOUT_KINDS = findingKinds("Traefik", {
  "read-timeout-short": warning(
    "Traefik cuts every upload that takes longer than {seconds} seconds: large layers fail",
    "Start Traefik with: {flag}",
  ),
});

/** A layer of some gigabytes over a line of a few megabytes a second. */
const LEAST_READ_SECONDS = 600;

/**
 * What an entrypoint has if nothing is set, and since when; before, there was no limit. Source:
 * traefik/traefik#10602.
 */
const DEFAULT_READ_SECONDS = 60;
const FIRST_WITH_A_LIMIT = "2.11.2";

/** How Traefik is given a read timeout that large layers fit. */
export const readTimeoutFlag = ({ traefik }: Pick<Config, "traefik">): string =>
  `--entryPoints.${traefik.entrypoint}.transport.respondingTimeouts.readTimeout=15m`;

/**
 * A read timeout as a finding.
 *
 * @param text of the timeout; what is no duration is not judged
 * @returns undefined if large layers fit
 */
export function judgeReadTimeout(config: Config, text: string, evidence: string): Finding | undefined {
  const seconds = goSeconds(text);
  // 0 is no limit.
  if (seconds === undefined || seconds === 0 || seconds >= LEAST_READ_SECONDS) return undefined;
  return TIMEOUT_KINDS.found("read-timeout-short", { seconds, flag: readTimeoutFlag(config) }, evidence);
}

/**
 * Whether Traefik's entrypoint cuts large layers, by the services of the Swarm. Several Traefiks may share
 * the Swarm: it is enough that one of them does not.
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
  const seen = services
    .filter(isTraefik)
    .map((service) => ({ name: service.Spec.Name, timeout: timeoutOf(config, service) }));
  if (seen.length === 0) return { unknown: `${what}: no service of this Swarm is a Traefik` };
  const findings = seen.map(
    ({ timeout }) => timeout && judgeReadTimeout(config, timeout.text, timeout.evidence),
  );
  if (seen.some(({ timeout }, index) => timeout && findings[index] === undefined)) return {};
  const unread = seen.find(({ timeout }) => timeout === undefined);
  if (unread) return { unknown: `${what}: ${unread.name} has its settings in a file` };
  const [finding] = findings;
  return finding ? { finding } : {};
}

/** @returns undefined if neither arguments nor variables tell */
function timeoutOf(
  { traefik: { entrypoint } }: Config,
  service: SwarmService,
): { text: string; evidence: string } | undefined {
  const { Name } = service.Spec;
  const key = `entrypoints.${entrypoint.toLowerCase()}`;
  const options = optionsOf(service);
  // If nothing names the entrypoint, the image has a file.
  if (options === undefined || !hasOption(options, key)) return undefined;
  const set = options.get(`${key}.transport.respondingtimeouts.readtimeout`);
  if (set !== undefined)
    return { text: set, evidence: `service ${Name}: readTimeout is ${set} for ${entrypoint}` };
  const version = taggedVersion(service);
  const seconds = version !== undefined && isOlder(version, FIRST_WITH_A_LIMIT) ? 0 : DEFAULT_READ_SECONDS;
  return {
    text: String(seconds),
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
