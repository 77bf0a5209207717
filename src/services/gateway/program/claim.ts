import type { Checked } from "./checks.js";
import type { Tokens } from "./tokens.js";

/** How a request says who asks. */
export type Claim = { kind: "none" | "anonymous" | "invalid" } | UserClaim;

export type UserClaim =
  /** With a password that is not checked yet: the Base64 of NAME:PASSWORD. */
  { kind: "user"; credential: string } | { kind: "user"; token: Checked };

/** The token that means nobody. */
export const ANONYMOUS_TOKEN = "anonymous";

/** Who asks, by the header Authorization: Basic, or a token of /auth/token. */
export function claimOf(authorization: string | undefined, open: Tokens["open"]): Claim {
  if (authorization === undefined || authorization === "") return { kind: "none" };
  const credential = /^Basic +([A-Za-z0-9+/]+=*)$/i.exec(authorization)?.[1];
  // In one spelling: Base64 has several for a text, and each would be asked about by itself.
  if (credential !== undefined)
    return { kind: "user", credential: Buffer.from(credential, "base64").toString("base64") };
  const text = /^Bearer +(\S+)$/i.exec(authorization)?.[1];
  if (text === ANONYMOUS_TOKEN) return { kind: "anonymous" };
  const token = text === undefined ? undefined : open(text);
  return token === undefined ? { kind: "invalid" } : { kind: "user", token };
}
