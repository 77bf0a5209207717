import type { Secret } from "./secret.js";

/** A user's password, in the clear. */
export interface Login {
  user: string;
  password: Secret;
}

/** A login whose password this run brings. */
export interface NewLogin extends Login {
  /** Whether the operator gave the password, or it was generated: then somebody has to be shown it. */
  origin: "given" | "generated";
}

/** The value of an Authorization header (RFC 7617). */
export const basicAuthorization = ({ user, password }: Login): string =>
  `Basic ${Buffer.from(`${user}:${password.reveal()}`).toString("base64")}`;
