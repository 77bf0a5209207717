import type { Config } from "../config/resolve.js";
import { userName as userNameSchema } from "../config/schema/edge.js";
import { checkPassword } from "../credentials/htpasswd.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { Secret } from "../credentials/secret.js";
import { endingLogin, type NewPassword, type UserChange } from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import { checkPrivateFile, writePasswordFile } from "../host/passwordFile.js";
import type { Deliver } from "../secrets/handover.js";
import type { Session } from "../session.js";
import { delivered, printFile } from "../terminal/output.js";
import { changeUsers } from "../users/rotation.js";
import { passwordFromStdin, userName } from "./credentials.js";
import { openUserSession, type UserSessionFlags } from "./session.js";

export interface UserFlags extends UserSessionFlags {
  user?: string;
  passwordStdin?: boolean;
  length: number;
  /** File for the new password. */
  passwordFile?: string;
}

/**
 * Gives a user a password, delivers it, and says so. A file that it cannot be written to is refused before
 * anything else.
 *
 * @param chooseUser says whose password it is
 * @param changeWith makes the change from it
 */
export async function setPassword(
  flags: UserFlags,
  chooseUser: (session: Session) => string | Promise<string>,
  changeWith: (password: NewPassword) => UserChange,
): Promise<Session> {
  if (flags.passwordFile !== undefined) await checkPrivateFile(flags.passwordFile);
  const session = await openForChange(flags);
  const { config, options, reporter } = session;
  const user = checkUserName(await chooseUser(session));
  const change = changeWith(await newPassword(user, flags, config));
  await changeUsers(session, endingLogin(environmentLogin(user, config), change), deliverTo(flags, session));
  if (flags.dryRun) return session;
  reporter.note(
    "info",
    `The new password of ${user} works${options.verify ? "" : " (not proved: --no-verify)"}.`,
  );
  if (flags.json) reporter.result({ user }, []);
  warnAboutEnvironment(user, session);
  return session;
}

/** The password from standard input, or a generated one. */
const newPassword = async (
  user: string,
  { passwordStdin, length }: UserFlags,
  { credentials }: Config,
): Promise<NewPassword> =>
  passwordStdin
    ? {
        user,
        password: checkPassword(await passwordFromStdin()),
        origin: "given",
        cost: credentials.bcryptCost,
      }
    : { user, password: generatePassword(length), origin: "generated", cost: GENERATED_BCRYPT_COST };

/**
 * Opens the way to a stack whose users the htpasswd has.
 *
 * @throws OperatorError if only Authelia knows the users, so that a change of the htpasswd would have no
 * effect
 */
export async function openForChange(flags: UserSessionFlags): Promise<Session> {
  const session = await openUserSession(flags);
  const { stack, users } = session.config;
  if (users.provider !== "authelia") return session;
  throw new OperatorError("its users are Authelia's (users.provider: authelia)", {
    where: stack,
    remedy: "Change them where Authelia has them, or deploy with users.provider: both for machine users.",
    exitCode: ExitCode.preflight,
  });
}

/** To a file, as JSON, for a person, or, into a pipe, the password alone. */
function deliverTo({ passwordFile, json }: UserFlags, { reporter }: Session): Deliver {
  return async (user, password) => {
    if (passwordFile !== undefined) await writePasswordFile(passwordFile, password);
    else if (json || process.stdout.isTTY) await reporter.password(user, password);
    else {
      printFile(`${password}\n`);
      await delivered();
    }
  };
}

/** @throws OperatorError when a name cannot be a user's */
function checkUserName(user: string): string {
  const { success, error } = userNameSchema.safeParse(user);
  if (success) return user;
  throw new OperatorError(error.issues[0]?.message ?? "is no user name", {
    where: user,
    exitCode: ExitCode.usage,
  });
}

/** The password that the environment holds for a user, as CI has it. */
export function environmentLogin(user: string, { credentials }: Config): Login | undefined {
  const raw = process.env.REGISTRY_RAW_PASSWORD;
  if (!raw || userName(credentials, process.env) !== user) return undefined;
  return { user, password: new Secret(raw) };
}

/** A deploy puts in what the variables say: left as they are, the next one would undo this. */
export function warnAboutEnvironment(user: string, { config, reporter }: Session): void {
  const lines = (process.env.REGISTRY_HTPASSWD ?? "").split("\n");
  const named = lines.some((line) => line.trim().startsWith(`${user}:`));
  if (!named && environmentLogin(user, config) === undefined) return;
  reporter.note(
    "warning",
    `REGISTRY_HTPASSWD or REGISTRY_RAW_PASSWORD still holds the old password of ${user}\n    Update them, or the next hephaestus deploy sets the old password again.`,
  );
}
