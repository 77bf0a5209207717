import { repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { OperatorError } from "../errors.js";
import { insideAddress } from "../services/addresses.js";
import type { Session } from "../session.js";
import { listServices, type SwarmService } from "./objects.js";

/**
 * A service keeps the login that it was deployed with (`--with-registry-auth`), and uses it whenever a task
 * starts on a node without the image. It cannot be read back, so every service that needs one counts. Source:
 * swarmkit, manager/orchestrator/task.go; moby/moby#24940.
 */

/**
 * The services that pull from this registry what needs a login.
 *
 * @param services all of the Swarm
 */
export function servicesWithLogins(config: Config, services: readonly SwarmService[]): SwarmService[] {
  const hosts = registryHosts(config);
  const rules = repositoryRules(config);
  return services.filter(({ Spec }) => {
    const [, host = "", repository = ""] =
      /^([^/]+)\/([^:@]+)/.exec(Spec.TaskTemplate.ContainerSpec.Image) ?? [];
    return hosts.includes(host) && ruleOf(rules, repository).pull !== "anonymous";
  });
}

/** What stands before the name of a repository of this registry, outside and inside. */
function registryHosts(config: Config): string[] {
  const { hostname, port } = new URL(publicUrls(config).registry);
  if (config.expose === "traefik")
    return [
      port === "" ? hostname : `${hostname}:${port}`,
      `${hostname}:${port || 443}`,
      insideAddress(config),
    ];
  // Each node may be asked by any of its names.
  return [hostname, "localhost", "127.0.0.1"].map((host) => `${host}:${config.ports.registry}`);
}

/** How services get a login that is right. */
export const newLoginRemedy = (config: Config, services: readonly SwarmService[]): string =>
  [
    `Log in as a user who may pull there: docker login ${registryHosts(config)[0]}. Then store that login; no task restarts:`,
    ...services.map(({ Spec }) => `docker service update --detach --with-registry-auth ${Spec.Name}`),
  ].join("\n");

/**
 * Warns after a change that can make logins wrong. That the services cannot be listed does not undo the
 * change.
 */
export async function warnOfStoredLogins({
  config,
  docker,
  reporter,
}: Pick<Session, "config" | "docker" | "reporter">): Promise<void> {
  try {
    const services = servicesWithLogins(config, await listServices(docker));
    if (services.length === 0) return;
    const remedy = newLoginRemedy(config, services).replaceAll("\n", "\n    ");
    reporter.note(
      "warning",
      `services that pull from this registry keep the login that they were deployed with, maybe the old one\n    ${remedy}`,
    );
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    reporter.note("warning", `services that keep an old login could not be listed: ${error.message}`);
  }
}
