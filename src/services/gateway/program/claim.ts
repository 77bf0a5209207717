/** How a request says who asks. */
export type Claim =
  | { kind: "none" | "anonymous" | "invalid" }
  /** With a password that is not checked yet: the Base64 of NAME:PASSWORD. */
  | { kind: "user"; credential: string };

/** The token that means nobody. */
export const ANONYMOUS_TOKEN = "anonymous";

/** Who asks, by the header Authorization: Basic, or a token of /auth/token. */
export function claimOf(authorization: string | undefined): Claim {
  if (authorization === undefined || authorization === "") return { kind: "none" };
  const [, scheme = "", value = ""] = /^(Basic|Bearer) +([A-Za-z0-9+/]+=*)$/i.exec(authorization) ?? [];
  if (scheme.toLowerCase() === "bearer" && value === ANONYMOUS_TOKEN) return { kind: "anonymous" };
  return value === "" ? { kind: "invalid" } : { kind: "user", credential: value };
}

/** The name in a credential, as it was typed. */
export const typedName = (credential: string): string =>
  Buffer.from(credential, "base64").toString().split(":", 1)[0] ?? "";
