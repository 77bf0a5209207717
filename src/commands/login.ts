import { Secret } from "../credentials/secret.js";
import type { Login } from "../credentials/userLogin.js";
import { type CredentialSettings, passwordFromStdin, userName } from "./credentials.js";

/** The user and the password at the registry. */
export interface LoginFlags {
  user?: string;
  passwordStdin?: boolean;
}

/**
 * The login of a command that talks to the registry: a password from standard input or from REGISTRY_RAW_PASSWORD.
 *
 * @returns undefined where there is no password
 */
export async function loginFrom(
  { user, passwordStdin }: LoginFlags,
  settings: CredentialSettings,
): Promise<Login | undefined> {
  const raw = process.env.REGISTRY_RAW_PASSWORD;
  const password = passwordStdin ? await passwordFromStdin() : raw ? new Secret(raw) : undefined;
  return password && { user: user ?? userName(settings, process.env), password };
}
