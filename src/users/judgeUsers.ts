import { TEMPORARY_USER, unknownNames } from "../access/repositoryRules.js";
import { nearestOf } from "../config/explain.js";
import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { isReserved } from "../credentials/userNames.js";
import type { SecretFacts } from "../docker/swarmSecrets.js";
import type { Finding, Problem } from "../operation/findings.js";

type NameFinding = Omit<Finding, "evidence">;

const warning = (id: NameFinding["id"], message: string, remedy: string): NameFinding => ({
  id,
  severity: "warning",
  message,
  remedy,
});

/**
 * What is wrong with names, where it is known which users the htpasswd has: names of users that mean a group of the config or
 * are reserved, and names in the rules that no user has.
 */
export function judgeUserNames(config: Config, users: readonly string[]): NameFinding[] {
  const twice = users
    .filter((name) => Object.hasOwn(config.groups, name))
    .map((name) =>
      warning(
        "user-name-of-group",
        `${name} is a user, and a group of the config`,
        `Rules that name ${name} mean the group. Write user:${name} for the user, or rename one of them.`,
      ),
    );
  const reserved = users
    .filter((name) => isReserved(name) && name !== TEMPORARY_USER)
    .map((name) =>
      warning(
        "user-name-reserved",
        `the name of the user ${name} is reserved for accounts of the stack, so the rules give it no rights`,
        `Add a user with another name, and then: hephaestus user remove ${name}`,
      ),
    );
  const isKnown = users.length > 0 && config.users.provider === "htpasswd";
  const unknown = (isKnown ? unknownNames(config, users) : []).map((name) =>
    warning(
      "rule-names-nobody",
      `access names ${name}, but there is no such user`,
      `${nearest(name, users)}Add one with: hephaestus user add ${name}`,
    ),
  );
  return [...twice, ...reserved, ...unknown];
}

function nearest(name: string, users: readonly string[]): string {
  const found = nearestOf(name, users);
  return found === undefined ? "" : `Did you mean ${found}? `;
}

/** Passwords that are older than the config wants, in days. */
export function judgeAges(
  maxAge: string | undefined,
  facts: SecretFacts | undefined,
  now = new Date(),
): Problem[] {
  if (maxAge === undefined || facts === undefined) return [];
  const dates: Array<readonly [string, Date]> =
    facts.changed.size > 0 ? [...facts.changed] : [[`generation ${facts.generation}`, facts.created]];
  return dates
    .map(([user, date]) => [user, daysBetween(date, now)] as const)
    .filter(([, days]) => days > Number.parseInt(maxAge, 10))
    .map(([user, days]) => ({
      severity: "warning",
      message: `the password of ${user} is ${days} days old (credentials.maxAge: ${maxAge})`,
      remedy: "Rotate it: hephaestus rotate-password --user NAME",
    }));
}
