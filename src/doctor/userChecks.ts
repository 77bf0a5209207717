import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { type Finding, findingKinds, warning } from "../finding.js";
import type { SwarmService } from "../swarm/objects.js";
import type { SecretFacts } from "../swarm/secrets.js";
import { newLoginRemedy, servicesWithLogins } from "../swarm/storedLogins.js";
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
    "{commands}",
    { remedy: "Log in, and hand the login on with: docker service update --with-registry-auth *service*" },
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
 * Services that got their login before users changed. One that was updated since may have a right one, or the
 * same: what is stored cannot be read back.
 *
 * @param pulling services that need a login
 * @param facts of the htpasswd in use
 */
export function judgeStoredLogins(
  config: Config,
  pulling: readonly SwarmService[],
  facts: SecretFacts | undefined,
  now: Date,
): Finding[] {
  if (facts === undefined) return [];
  const ends = [...facts.ends.values()].map((day) => new Date(day)).filter((day) => day <= now);
  // The first users were the first to log in.
  const changes = [...ends, ...(facts.generation > 1 ? [facts.created] : [])];
  const last = Math.max(...changes.map((date) => date.getTime()));
  const isOlder = ({ UpdatedAt = "" }: SwarmService) => Date.parse(UpdatedAt) < last;
  const names = (services: readonly SwarmService[]) => services.map(({ Spec }) => Spec.Name).join(", ");
  const older = pulling.filter(isOlder);
  const others = pulling.filter((service) => !isOlder(service));
  if (older.length === 0) return [];
  const since = others.length === 0 ? "" : `; with an update since, maybe without a login: ${names(others)}`;
  const evidence = `the users changed on ${new Date(last).toISOString()}, and these services were not updated since${since}`;
  const values = { services: names(older), commands: newLoginRemedy(config, pulling) };
  return [found("login-stored", values, evidence)];
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
        return judgeStoredLogins(config, pulling, await htpasswd(), new Date());
      },
    },
  ],
};
