import { repositoryRules, ruleOf, TEMPORARY_USER } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import type { Login } from "../credentials/userLogin.js";
import { enginePost } from "../docker/engineApi.js";
import { isFinal } from "../docker/failures.js";
import { OperatorError } from "../errors.js";
import { insideAddress } from "../services/addresses.js";
import type { Session } from "../session.js";
import { inStep } from "../terminal/inStep.js";
import { listServices, type SwarmService, type SwarmTask, tasksOf } from "./objects.js";

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

/** Those of the whole Swarm. Nothing is asked if everything can be pulled without a login. */
export const pullingServices = async ({
  config,
  docker,
}: Pick<Session, "config" | "docker">): Promise<SwarmService[]> =>
  repositoryRules(config).some(({ pull }) => pull !== "anonymous")
    ? servicesWithLogins(config, await listServices(docker))
    : [];

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

/** The label of a service that names the user whose login it keeps. */
const LOGIN_LABEL = "hephaestus.login";

/** The user whose login a service keeps, if that is known. */
export const keptBy = ({ Spec }: SwarmService): string | undefined => Spec.Labels?.[LOGIN_LABEL] || undefined;

const namesOf = (services: readonly SwarmService[], separator = ", "): string =>
  services.map(({ Spec }) => Spec.Name).join(separator);

/** How services get a login that is right: a line for each user whose login they keep. */
export const newLoginRemedy = (services: readonly SwarmService[]): string =>
  [...new Set(services.map(keptBy))]
    .map((user) => {
      const own = services.filter((service) => keptBy(service) === user);
      return `Store the login of a user who may pull there; no task restarts: hephaestus logins refresh --user ${user ?? "USER"} ${namesOf(own, " ")}`;
    })
    .join("\n");

/**
 * States of an update that is not over: the next change of the service would start it anew, or end its way
 * back.
 */
const UNDER_WAY = ["updating", "paused", "rollback_started", "rollback_paused"];

/**
 * What a change of a service would start, whatever it changes. Source: swarmkit, manager/controlapi/service.go
 * (JobIteration), and manager/orchestrator/task.go (IsTaskDirty, which passes over a login only while a task
 * runs).
 */
function whatItWouldStart(
  { Spec, UpdateStatus }: SwarmService,
  tasks: readonly SwarmTask[],
): string | undefined {
  const { Mode, TaskTemplate } = Spec;
  const state = UpdateStatus?.State ?? "";
  if (UNDER_WAY.includes(state)) return `its update is ${state}, which a change would disturb`;
  if (["ReplicatedJob", "GlobalJob"].some((mode) => mode in Mode)) return "it is a job, and would run again";
  const condition = TaskTemplate.RestartPolicy?.Condition ?? "any";
  const running = tasks.filter(({ Status }) => Status.State === "running").length;
  return condition !== "any" && running < (Mode.Replicated?.Replicas ?? 1)
    ? `its restart condition is ${condition}, and a task that has ended would start again`
    : undefined;
}

/**
 * Stores a login in services, in the place of the one that each keeps, and notes its user in their label. The
 * tasks stay as they are. What cannot be changed is a warning: the others shall have it. Source: Docker Engine
 * API, ServiceUpdate, X-Registry-Auth; swarmkit ignores PullOptions when it compares tasks.
 *
 * @returns the names of the services that have it
 */
export async function storeLogin(
  { config, docker, reporter }: Pick<Session, "config" | "docker" | "reporter">,
  services: readonly SwarmService[],
  { user, password }: Login,
): Promise<string[]> {
  const [serveraddress] = registryHosts(config);
  const login = { username: user, password: password.reveal(), serveraddress };
  // With its padding: without it, the nodes read nothing.
  const text = Buffer.from(JSON.stringify(login)).toString("base64");
  const headers = { "X-Registry-Auth": text.replaceAll("+", "-").replaceAll("/", "_") };
  const stored: string[] = [];
  const tasks = await tasksOf(docker, services);
  for (const service of services) {
    const { ID, Version, Spec } = service;
    // By its version: a service that runs another image meanwhile may belong to another registry.
    const path = `/services/${ID}/update?version=${Version.Index}`;
    const changed = { ...Spec, Labels: { ...Spec.Labels, [LOGIN_LABEL]: user } };
    const refusal =
      whatItWouldStart(service, tasks(service)) ??
      (await refusalOf(() => enginePost(docker, path, changed, headers)));
    if (refusal === undefined) stored.push(Spec.Name);
    else
      reporter.note(
        "warning",
        `${Spec.Name} keeps the login that it has: ${refusal}\n    ${newLoginRemedy([service])}`,
      );
  }
  return stored;
}

/** Why something could not be done; undefined if it was. */
async function refusalOf(work: () => Promise<void>): Promise<string | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (isFinal(error)) throw error;
    return (error as Error).message;
  }
}

/**
 * Stores the new login of a user in all services that keep one of this user; says so only, with --dry-run.
 * The change of the password is done by then, so what fails is a warning.
 *
 * @param login undefined if no password became known
 */
export async function storeNewLogin(session: Session, login: Login | undefined): Promise<void> {
  const { options, reporter } = session;
  // A label is anybody's word, and the temporary user's password is nobody's.
  if (login === undefined || !options.wait || login.user === TEMPORARY_USER) return;
  try {
    const own = (await pullingServices(session)).filter((service) => keptBy(service) === login.user);
    if (own.length === 0) return;
    await inStep(reporter, { id: "logins", title: "Logins of services" }, async () => {
      if (options.dryRun) return `the new one would be stored in ${namesOf(own)}`;
      const stored = await storeLogin(session, own, login);
      return stored.length === 0 ? "none was changed" : `the new one is stored in ${stored.join(", ")}`;
    });
  } catch (error) {
    if (isFinal(error)) throw error;
    notListed(reporter, error);
  }
}

function notListed(reporter: Session["reporter"], error: unknown): void {
  reporter.note(
    "warning",
    `services that keep an old login could not be listed: ${(error as Error).message}`,
  );
}

/** States of a task that it stays in, until the next one. */
const SETTLED = ["running", "complete", "failed", "rejected", "shutdown"];

/** The newest task of a service that has come to something. @param tasks of it, the newest first */
export const newestSettled = (tasks: readonly SwarmTask[]): SwarmTask | undefined =>
  tasks.find(({ Status }) => SETTLED.includes(Status.State));

/**
 * Warns of the services whose logins a change can have made wrong: those of users whose passwords changed or
 * who are gone, and those of which nobody said whose login they keep. That they cannot be listed does not
 * undo the change.
 */
export async function warnOfStoredLogins(
  session: Pick<Session, "config" | "docker" | "reporter">,
  changed: readonly string[] = [],
): Promise<void> {
  const { reporter } = session;
  try {
    const services = (await pullingServices(session)).filter((service) => {
      const user = keptBy(service);
      return user === undefined || changed.includes(user);
    });
    if (services.length === 0) return;
    const remedy = newLoginRemedy(services).replaceAll("\n", "\n    ");
    reporter.note("warning", `${namesOf(services)} may keep an old login at this registry\n    ${remedy}`);
  } catch (error) {
    if (!(error instanceof OperatorError)) throw error;
    notListed(reporter, error);
  }
}
