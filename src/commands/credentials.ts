import { text as readAll } from "node:stream/consumers";
import { checkPassword, htpasswdEntry, parseHtpasswd, verifyPassword } from "../credentials/htpasswd.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { Secret } from "../credentials/secret.js";
import type { Credentials } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";

/** What of the config and the environment decides about the first user. */
export interface CredentialSettings {
  username: string;
  bcryptCost: number;
}

type Environment = Readonly<Record<string, string | undefined>>;

const refuse = (message: string, remedy: string) =>
  new OperatorError(message, { where: "credentials", remedy, exitCode: ExitCode.credentials });

/** The user name: REGISTRY_USERNAME, else that of the config. */
export const userName = (settings: CredentialSettings, environment: Environment): string =>
  environment.REGISTRY_USERNAME || settings.username;

/**
 * Credentials from the three REGISTRY_* variables, checked against each other; undefined when none of the
 * secret ones is set. Without an htpasswd the password makes one.
 *
 * @throws OperatorError before anything is created: a variable is missing, a hash is not bcrypt, or they do
 * not match
 */
export function credentialsFromEnvironment(
  settings: CredentialSettings,
  environment: Environment,
): Credentials | undefined {
  const { REGISTRY_HTPASSWD: htpasswd, REGISTRY_RAW_PASSWORD: raw } = environment;
  if (!htpasswd && !raw) return undefined;
  const user = userName(settings, environment);
  if (!raw) {
    throw refuse(
      "REGISTRY_HTPASSWD is set, but REGISTRY_RAW_PASSWORD is not",
      `Set the password of ${user} too: it is checked against the htpasswd before anything is created.`,
    );
  }
  const password = checkPassword(new Secret(raw));
  if (!htpasswd) return fromPassword(user, password, settings);
  const users = parseHtpasswd(new Secret(htpasswd), "REGISTRY_HTPASSWD");
  if (!users.some((entry) => entry.user === user)) {
    throw refuse(`REGISTRY_HTPASSWD has no user ${user}`, "Set REGISTRY_USERNAME to a user of the htpasswd.");
  }
  if (!verifyPassword(users, user, password)) {
    throw refuse(
      `REGISTRY_RAW_PASSWORD does not open the account ${user} of REGISTRY_HTPASSWD`,
      `Make the htpasswd from that password: htpasswd -nBC ${settings.bcryptCost} ${user}`,
    );
  }
  return { user, password, users, origin: "given" };
}

/** Credentials for a password that a user chose. */
export function fromPassword(
  user: string,
  password: Secret,
  { bcryptCost }: Pick<CredentialSettings, "bcryptCost">,
): Credentials {
  return { user, password, users: [htpasswdEntry(user, password, bcryptCost)], origin: "given" };
}

/** Credentials with a new password, which has to be handed over. */
export function generated(user: string): Credentials {
  return {
    ...fromPassword(user, generatePassword(), { bcryptCost: GENERATED_BCRYPT_COST }),
    origin: "generated",
  };
}

/** Standard input without its last line break. */
export async function passwordFromStdin(): Promise<Secret> {
  return new Secret((await readAll(process.stdin)).replace(/\r?\n$/, ""));
}

/** The user and the password at the registry. */
export interface LoginFlags {
  user?: string;
  passwordStdin?: boolean;
}

/**
 * The login of a command that talks to the registry: a password from standard input or from
 * REGISTRY_RAW_PASSWORD.
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

/** @param reason why the command needs one */
export const noPassword = (reason: string): OperatorError =>
  new OperatorError(`a password is needed, since ${reason}`, {
    remedy: "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --user and --password-stdin.",
    exitCode: ExitCode.usage,
  });
