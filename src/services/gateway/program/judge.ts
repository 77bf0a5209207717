import type { RightsOf } from "../../../access/repositoryRules.js";
import type { Claim } from "./claim.js";
import { ANYONE, permits } from "./person.js";
import { type Asked, isRepository, parameters } from "./request.js";

/** What becomes of a request before any password is checked. */
export type Verdict =
  /** Anyone may do this. */
  | "allow"
  /** It depends on whose password this is. */
  | "check"
  /** A client without a login is asked for one; one with the anonymous token is told so. */
  | "challenge"
  | "deny"
  /** The path names nothing. */
  | "unknown";

/**
 * @param isOpen whether anyone may pull anything
 * @param claim what kind of it the request has
 * @param asked undefined where the path names nothing
 */
export function judge(
  isOpen: boolean,
  rightsOf: RightsOf,
  claim: Claim["kind"],
  asked: Asked | undefined,
  reads: boolean,
): Verdict {
  if (asked === undefined && (reads || claim === "user")) return "unknown";
  // A password that cannot be checked at the moment, or is wrong, is no reason to refuse what anyone may
  // pull.
  const isPublic = asked?.operation === "pull" && permits(ANYONE, asked, rightsOf, []);
  if (claim === "user") return isPublic ? "allow" : "check";
  const isKnown = claim === "none" || claim === "anonymous";
  if (isKnown && isPublic) return "allow";
  if (isKnown && isOpen && asked?.operation === "catalog") return "allow";
  // Clients choose their scheme by this answer, so nobody gets in here without saying who they are.
  if (claim === "anonymous" && isOpen) return asked?.operation === "login" ? "allow" : "deny";
  return "challenge";
}

/** Whether a token is asked for to pull what anyone may pull, and for nothing else. */
export function isPublicScope(query: string, rightsOf: RightsOf): boolean {
  const scopes = parameters(query)?.get("scope")?.split(" ") ?? [];
  return (
    scopes.length > 0 &&
    scopes.length <= 4 &&
    scopes.every((scope) => {
      const [type, repository = "", actions, ...rest] = scope.split(":");
      return (
        type === "repository" &&
        actions === "pull" &&
        rest.length === 0 &&
        isRepository(repository) &&
        rightsOf({}, repository).pull
      );
    })
  );
}
