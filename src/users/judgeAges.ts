import { daysBetween } from "../credentials/dates.js";
import type { SecretFacts } from "../docker/swarmSecrets.js";
import type { Problem } from "../operation/findings.js";

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
