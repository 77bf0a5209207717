import type { Config } from "../config/resolve.js";
import { userName as userNameSchema } from "../config/schema/edge.js";
import { bcryptCost, checkPassword } from "../credentials/htpasswd.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import { Secret } from "../credentials/secret.js";
import {
  addUser,
  changePassword,
  endingLogin,
  type NewPassword,
  removeUser,
  type UserChange,
  updateUser,
} from "../credentials/userChanges.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import { checkPrivateFile, writePasswordFile } from "../host/passwordFile.js";
import type { Session } from "../operation/stackSession.js";
import { warnOfStoredLogins } from "../operation/storedLogins.js";
import type { Deliver } from "../secrets/handover.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { delivered, printFile } from "../terminal/output.js";
import { table } from "../terminal/table.js";
import { requireUsers } from "../users/readUsers.js";
import { changeUsers } from "../users/rotation.js";
import { passwordFromStdin, userName } from "./credentials.js";
import { openUserSession, type UserSessionFlags } from "./userSession.js";

export interface UserFlags extends UserSessionFlags {
  user?: string;
  passwordStdin?: boolean;
  length: number;
  /** File for the new password. */
  passwordFile?: string;
}

/** A user's end and note, as they were typed. */
export interface RemarkFlags {
  until?: string;
  note?: string;
}

/** What is typed for a change that brings no password. */
type ChangeFlags = Omit<UserFlags, "length">;

/** A new password for one user. */
export async function rotatePassword(flags: UserFlags): Promise<ExitCode> {
  await checkPasswordFile(flags);
  const session = await openForChange(flags);
  const user = await existingUser(flags, session);
  await setPassword(flags, session, user, changePassword);
  if (!flags.dryRun) await warnOfStoredLogins(session);
  return ExitCode.ok;
}

/** A new user. */
export async function userAdd(user: string, flags: UserFlags & RemarkFlags): Promise<ExitCode> {
  await checkPasswordFile(flags);
  const session = await openForChange(flags);
  await setPassword(flags, session, user, (password) => addUser(password, flags));
  return ExitCode.ok;
}

/** Another end or note of a user, whose password stays. */
export async function userUpdate(user: string, flags: ChangeFlags & RemarkFlags): Promise<ExitCode> {
  if (flags.until === undefined && flags.note === undefined) {
    throw new OperatorError("nothing to change", {
      where: user,
      remedy: "Use --until, --note, or both.",
      exitCode: ExitCode.usage,
    });
  }
  const session = await openForChange(flags);
  const { change } = await changeUsers(session, updateUser(user, flags));
  if (flags.dryRun) return ExitCode.ok;
  const { until, note } = change?.users.find((entry) => entry.user === user) ?? {};
  session.reporter.result({ user, until: until ?? null, note: note ?? null }, [`${user} is changed.`]);
  return ExitCode.ok;
}

/** Removes a user. */
export async function userRemove(user: string, flags: ChangeFlags): Promise<ExitCode> {
  const session = await openForChange(flags);
  await changeUsers(session, endingLogin(environmentLogin(user, session.config), removeUser(user)));
  if (flags.dryRun) return ExitCode.ok;
  session.reporter.result({ removed: user }, [`${user} is removed.`]);
  warnAboutEnvironment(user, session);
  await warnOfStoredLogins(session);
  return ExitCode.ok;
}

/** The users, with the bcrypt cost and the age of their passwords, their ends and notes; never a hash. */
export async function userList(flags: ChangeFlags): Promise<ExitCode> {
  const session = await openUserSession(flags);
  const found = await requireUsers(session);
  const users = found.users.map((entry) => ({
    user: entry.user,
    cost: bcryptCost(entry),
    changed: found.changed.get(entry.user)?.toISOString() ?? null,
    until: entry.until ?? null,
    note: entry.note ?? null,
  }));
  const rows = users.map(({ user, cost, changed, until, note }) => [
    user,
    String(cost),
    changed ?? "not noted",
    until ?? "-",
    note ?? "",
  ]);
  session.reporter.result(
    { users },
    table(["USER", "BCRYPT COST", "PASSWORD CHANGED", "UNTIL", "NOTE"], rows),
  );
  return ExitCode.ok;
}

/** Gives a user a password, delivers it, and says so. */
async function setPassword(
  flags: UserFlags,
  session: Session,
  user: string,
  changeWith: (password: NewPassword) => UserChange,
): Promise<void> {
  const { config, options, reporter } = session;
  const change = changeWith(await newPassword(checkUserName(user), flags, config));
  await changeUsers(session, endingLogin(environmentLogin(user, config), change), deliverTo(flags, session));
  if (flags.dryRun) return;
  reporter.note(
    "info",
    `The new password of ${user} works${options.verify ? "" : " (not proved: --no-verify)"}.`,
  );
  if (flags.json) reporter.result({ user }, []);
  warnAboutEnvironment(user, session);
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

/** A file that the password cannot be written to is refused before anything else. */
const checkPasswordFile = async ({ passwordFile }: UserFlags): Promise<void> =>
  passwordFile === undefined ? undefined : checkPrivateFile(passwordFile);

/**
 * Opens the way to a stack whose users the htpasswd has.
 *
 * @throws OperatorError if only Authelia knows the users, so that a change of the htpasswd would have no effect
 */
async function openForChange(flags: UserSessionFlags): Promise<Session> {
  const session = await openUserSession(flags);
  const { stack, users } = session.config;
  if (users.provider !== "authelia") return session;
  throw new OperatorError("its users are Authelia's (users.provider: authelia)", {
    where: stack,
    remedy: "Change them where Authelia has them, or deploy with users.provider: both for machine users.",
    exitCode: ExitCode.preflight,
  });
}

/**
 * Whose password is meant: --user, REGISTRY_USERNAME, the only user, or the answer to a question.
 *
 * @throws OperatorError that lists the users if there are several and no terminal to ask at
 */
async function existingUser({ user }: UserFlags, session: Session): Promise<string> {
  const named = user ?? process.env.REGISTRY_USERNAME;
  if (named) return named;
  const names = (await requireUsers(session)).users.map((entry) => entry.user);
  const [only, ...others] = names;
  if (only !== undefined && others.length === 0) return only;
  if (isInteractive()) {
    const { askChoice } = await import("../terminal/prompts.js");
    return askChoice(
      "Whose password?",
      names.map((name) => ({ value: name, label: name })),
    );
  }
  throw new OperatorError(`there are several users: ${names.join(", ")}`, {
    where: session.config.stack,
    remedy: `Name one of them with --user, such as --user ${only}.`,
    exitCode: ExitCode.usage,
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
function environmentLogin(user: string, { credentials }: Config): Login | undefined {
  const raw = process.env.REGISTRY_RAW_PASSWORD;
  if (!raw || userName(credentials, process.env) !== user) return undefined;
  return { user, password: new Secret(raw) };
}

/** A deploy puts in what the variables say: left as they are, the next one would undo this. */
function warnAboutEnvironment(user: string, { config, reporter }: Session): void {
  const lines = (process.env.REGISTRY_HTPASSWD ?? "").split("\n");
  const named = lines.some((line) => line.trim().startsWith(`${user}:`));
  if (!named && environmentLogin(user, config) === undefined) return;
  reporter.note(
    "warning",
    `REGISTRY_HTPASSWD or REGISTRY_RAW_PASSWORD still holds the old password of ${user}\n    Update them, or the next hephaestus deploy sets the old password again.`,
  );
}
