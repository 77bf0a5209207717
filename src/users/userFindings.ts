import { TEMPORARY_USER, unknownNames } from "../access/repositoryRules.js";
import { nearestOf } from "../config/explain.js";
import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { isReserved } from "../credentials/userNames.js";
import { error, errorOrWarning, type Finding, findingKinds, type Severity, warning } from "../finding.js";
import type { SecretFacts } from "../swarm/secrets.js";

/** What can be wrong with the users of a stack, for doctor and for the plan of a change. */
export const USER_KINDS = findingKinds("Passwords and access", {
  "users-missing": error("{stack} has no users yet", "Deploy it first: hephaestus deploy"),
  "password-not-given": error(
    "there is no password yet, and nobody to ask for one",
    "Set REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --password-stdin or --generate-password.",
  ),
  "password-never-shown": errorOrWarning(
    "nothing shows that anyone was given the generated password of {users}",
    "If nobody knows it, set a new one: hephaestus rotate-password --user {user}",
  ),
  "password-taken-back": warning(
    "the run that made generation {unfinished} ended before it showed the new password: going back to generation {generation}",
    "The passwords from before that run are valid.",
  ),
  "machine-secrets-missing": error(
    "the secrets of the machine accounts are incomplete",
    "Repair them first: hephaestus deploy",
  ),
  "password-old": warning(
    "the password of {user} is {days} days old (credentials.maxAge: {maxAge})",
    "Rotate it: hephaestus rotate-password --user NAME",
  ),
  "user-name-of-group": warning(
    "{user} is a user, and a group of the config",
    "Rules that name {user} mean the group. Write user:{user} for the user, or rename one of them.",
  ),
  "user-name-reserved": warning(
    "the name of the user {user} is reserved for accounts of the stack, so the rules give it no rights",
    "Add a user with another name, and then: hephaestus user remove {user}",
  ),
  "rule-names-nobody": warning(
    "access names {user}, but there is no such user",
    "Correct the name, or add the user with: hephaestus user add {user}",
  ),
});
const { found } = USER_KINDS;

/**
 * Whether somebody knows the passwords.
 *
 * @param unseen users whose generated passwords nobody was shown
 */
export function judgeHandOver(
  facts: SecretFacts | undefined,
  unseen: readonly string[],
  severity: Severity = "error",
): Finding[] {
  const [user] = unseen;
  if (facts === undefined || user === undefined) return [];
  const evidence = `labels of ${facts.name} say that it was generated, and no marker says that it was handed over`;
  return [found("password-never-shown", { users: unseen.join(", "), user }, evidence, severity)];
}

/** Passwords that are older than the config wants, in days. */
export function judgeAges(
  maxAge: string | undefined,
  facts: SecretFacts | undefined,
  now = new Date(),
): Finding[] {
  if (maxAge === undefined || facts === undefined) return [];
  const dates: Array<readonly [string, Date]> =
    facts.changed.size > 0 ? [...facts.changed] : [[`generation ${facts.generation}`, facts.created]];
  return dates
    .map(([user, date]) => ({ user, days: daysBetween(date, now), maxAge }))
    .filter(({ days }) => days > Number.parseInt(maxAge, 10))
    .map((values) => found("password-old", values, `labels of ${facts.name}`));
}

/**
 * What is wrong with the names of users: those that mean a group of the config or are reserved, and names in
 * the rules that no user has.
 *
 * @param facts of the htpasswd
 */
export function judgeUserNames(config: Config, facts: SecretFacts | undefined): Finding[] {
  const users = [...(facts?.changed.keys() ?? [])];
  const evidence = `labels of ${facts?.name}`;
  const isKnown = users.length > 0 && config.users.provider === "htpasswd";
  return [
    ...users
      .filter((user) => Object.hasOwn(config.groups, user))
      .map((user) => found("user-name-of-group", { user }, evidence)),
    ...users
      .filter((user) => isReserved(user) && user !== TEMPORARY_USER)
      .map((user) => found("user-name-reserved", { user }, evidence)),
    ...(isKnown ? unknownNames(config, users) : []).map((user) =>
      found("rule-names-nobody", { user }, `${evidence}${nearest(user, users)}`),
    ),
  ];
}

function nearest(name: string, users: readonly string[]): string {
  const user = nearestOf(name, users);
  return user === undefined ? "" : `; the nearest name of a user is ${user}`;
}
