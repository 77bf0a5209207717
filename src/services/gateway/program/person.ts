import { matchesGlob } from "../../../access/glob.js";
import { type Caller, type RightsOf, TEMPORARY_USER } from "../../../access/repositoryRules.js";
import { isReserved, USER_NAME } from "../../../credentials/userNames.js";
import type { Account } from "./checks.js";
import type { Asked } from "./request.js";

/** Whose rights count: anyone, a user by the rules, or an account of the stack with rights of its own. */
export type Person =
  | ({ kind: "caller" } & Caller)
  | { kind: "ui" }
  | ({ kind: "library" } & Caller)
  | { kind: "mirror" }
  | { kind: "operator" }
  | { kind: "nobody" };

export const ANYONE: Person = { kind: "caller" };

const UI = /^hephaestus-ui(?:-[0-9]+)?$/;
const LIBRARY = /^hephaestus-library(?:-[0-9]+)?$/;
const MIRROR = /^hephaestus-mirror(?:-[0-9]+)?$/;

/** Names are compared exactly; one that is reserved, in whatever spelling, has no other rights. */
export function personOf({ user, groups }: Account): Person {
  if (UI.test(user)) return { kind: "ui" };
  if (LIBRARY.test(user)) return { kind: "library", user };
  if (MIRROR.test(user)) return { kind: "mirror" };
  if (user === TEMPORARY_USER) return { kind: "operator" };
  return USER_NAME.test(user) ? { kind: "caller", user, groups } : { kind: "nobody" };
}

/**
 * How a person is named in the log. The admin UI says for whom it asks: Authelia let them in there. Nobody
 * else is believed.
 */
export const nameInLog = ({ user }: Account, person: Person, askedFor: string | undefined): string =>
  person.kind === "ui" && askedFor !== undefined && !isReserved(askedFor) && USER_NAME.test(askedFor)
    ? `${askedFor} via ${user}`
    : user;

/**
 * Whether someone may do what a request asks for.
 *
 * @param rightsOf what the rules say about a repository
 * @param mirrored globs of the repositories that the mirror writes
 */
export function permits(
  person: Person,
  { operation, repository }: Pick<Asked, "operation" | "repository">,
  rightsOf: RightsOf,
  mirrored: readonly string[],
): boolean {
  if (person.kind === "nobody") return false;
  if (operation === "login") return true;
  if (person.kind === "operator") return true;
  if (operation === "catalog") return person.kind !== "mirror";
  if (operation === "other") return person.kind === "caller" && person.user !== undefined;
  if (person.kind === "ui") return operation !== "push";
  if (person.kind === "mirror")
    return operation !== "delete" && mirrored.some((target) => matchesGlob(target, repository));
  // What every user may pull, since no rule names it.
  if (person.kind === "library" && operation !== "pull") return false;
  return rightsOf(person, repository)[operation];
}
