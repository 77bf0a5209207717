import { daysBetween } from "../credentials/dates.js";
import { type Finding, findingKinds, warning } from "../finding.js";
import { type SwarmService, type SwarmTask, tasksOf } from "../swarm/objects.js";
import type { SecretFacts } from "../swarm/secrets.js";
import { keptBy, newestSettled, newLoginRemedy, servicesWithLogins } from "../swarm/storedLogins.js";
import { judgeAges, judgeHandOver, judgeUserNames, USER_KINDS } from "../users/userFindings.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Passwords and access", {
  "user-ends-soon": warning(
    "{user} ends on {day}, in {days}",
    "Change it with: hephaestus user update {user} --until DAY. Or remove the user: hephaestus user remove {user}",
  ),
  "user-ended": warning(
    "{user} ended on {day} and is refused",
    "Change it with: hephaestus user update {user} --until DAY. Or remove the user: hephaestus user remove {user}",
  ),
  "login-stored": warning(
    "{services} may keep a login from before the users changed: a task on a node without the image could not start",
    "{remedy}",
    {
      remedy:
        "Give them the login of a user who may pull there: hephaestus logins refresh --user *user* *service*",
    },
  ),
  "task-without-image": warning(
    "a task of {service}, whose image is of this registry, was rejected",
    "If its login is refused, store one that is right: hephaestus logins refresh --user USER {service}",
  ),
});
const { found } = kinds;

/** Days before the end of a user from which doctor and status say so. */
const END_DAYS = 14;

/** Users that have ended, or end soon. */
export function judgeEnds(facts: SecretFacts | undefined, now: Date): Finding[] {
  return [...(facts?.ends ?? [])].flatMap(([user, day]) => {
    const days = -daysBetween(new Date(day), now);
    if (days > END_DAYS) return [];
    const evidence = `labels of ${facts?.name}`;
    if (days <= 0) return [found("user-ended", { user, day }, evidence)];
    return [found("user-ends-soon", { user, day, days: days === 1 ? "1 day" : `${days} days` }, evidence)];
  });
}

/**
 * Services that got their login before its user changed; before any user changed, if nobody said whose it is.
 * One of these that was updated since may have a right one, or the same: what is stored cannot be read back.
 *
 * @param pulling services that need a login
 * @param facts of the htpasswd in use
 */
export function judgeStoredLogins(
  pulling: readonly SwarmService[],
  facts: SecretFacts | undefined,
  now: Date,
): Finding[] {
  if (facts === undefined) return [];
  const ends = [...facts.ends.values()].map((day) => new Date(day)).filter((day) => day <= now);
  // The first users were the first to log in.
  const changes = [...ends, ...(facts.generation > 1 ? [facts.created] : [])];
  const last = Math.max(...changes.map((date) => date.getTime()));
  const changeOf = (user: string | undefined) => {
    const changed = user === undefined ? undefined : facts.changed.get(user)?.getTime();
    const end = Date.parse(facts.ends.get(user ?? "") ?? "");
    return changed === undefined ? last : end <= now.getTime() ? Math.max(changed, end) : changed;
  };
  const isOlder = (service: SwarmService) => Date.parse(service.UpdatedAt ?? "") < changeOf(keptBy(service));
  const names = (services: readonly SwarmService[]) => services.map(({ Spec }) => Spec.Name).join(", ");
  const older = pulling.filter(isOlder);
  const others = pulling.filter((service) => !isOlder(service) && keptBy(service) === undefined);
  if (older.length === 0) return [];
  const since = others.length === 0 ? "" : `; with an update since, maybe without a login: ${names(others)}`;
  const evidence = `the users changed on ${new Date(last).toISOString()}, and these services were not updated since${since}`;
  const values = { services: names(older), remedy: newLoginRemedy([...older, ...others]) };
  return [found("login-stored", values, evidence)];
}

/** Whether a node refused the newest task of a service. @param tasks of it, the newest first */
export function judgeNewestTask({ Spec }: SwarmService, tasks: readonly SwarmTask[]): Finding[] {
  const newest = newestSettled(tasks);
  if (newest?.Status.State !== "rejected") return [];
  return [found("task-without-image", { service: Spec.Name }, newest.Status.Err ?? "it was rejected")];
}

export const userChecks: Checks = {
  kinds: [USER_KINDS, kinds],
  checks: [
    {
      title: "passwords that nobody has seen",
      needs: "manager",
      onlyAtRest: true,
      run: async ({ htpasswd, unseen }) => judgeHandOver(await htpasswd(), await unseen()),
    },
    {
      title: "users, and the ages of their passwords",
      needs: "manager",
      run: async ({ config, htpasswd }) => {
        const facts = await htpasswd();
        return [
          ...judgeAges(config.credentials.maxAge, facts),
          ...judgeEnds(facts, new Date()),
          ...judgeUserNames(config, facts),
        ];
      },
    },
    {
      title: "logins that services keep",
      needs: "manager",
      // Authelia does not tell when its users change.
      applies: ({ users }) => users.provider !== "authelia",
      run: async ({ config, allServices, htpasswd }) => {
        const pulling = servicesWithLogins(config, await allServices());
        return judgeStoredLogins(pulling, await htpasswd(), new Date());
      },
    },
    {
      title: "tasks that were refused their image of this registry",
      needs: "manager",
      run: async ({ config, docker, allServices }) => {
        const pulling = servicesWithLogins(config, await allServices());
        const tasks = await tasksOf(docker, pulling);
        return pulling.flatMap((service) => judgeNewestTask(service, tasks(service)));
      },
    },
  ],
};
