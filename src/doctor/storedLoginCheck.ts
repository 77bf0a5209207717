import type { Config } from "../config/resolve.js";
import type { SwarmService } from "../docker/objects.js";
import type { SecretFacts } from "../docker/swarmSecrets.js";
import { newLoginRemedy, servicesWithLogins } from "../operation/storedLogins.js";
import type { Check } from "./check.js";
import { type Finding, warning } from "./finding.js";

/**
 * Services that got their login before users changed. One that was updated since may have a right one, or the same: what is
 * stored cannot be read back.
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
  return [
    warning(
      "login-stored",
      `${names(older)} may keep a login of before the users changed: a task on a node without the image could not start`,
      `the users changed on ${new Date(last).toISOString()}, and these services were not updated since${since}`,
      newLoginRemedy(config, pulling),
    ),
  ];
}

export const storedLoginCheck: Check = {
  id: "stored-logins",
  title: "logins that services keep",
  theme: "Passwords and access",
  needs: "manager",
  // Authelia does not tell when its users change.
  applies: ({ users }) => users.provider !== "authelia",
  run: async ({ config, allServices, htpasswd }) =>
    judgeStoredLogins(config, servicesWithLogins(config, await allServices()), await htpasswd(), new Date()),
};
