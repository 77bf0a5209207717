import type { Config } from "../config/resolve.js";
import { userName as userNameSchema } from "../config/schema/edge.js";
import type { HtpasswdEntry } from "../credentials/htpasswd.js";
import { checkPassword } from "../credentials/htpasswd.js";
import { GENERATED_BCRYPT_COST, generatePassword } from "../credentials/password.js";
import type { Change, Login } from "../credentials/people.js";
import { addUser, changePassword, removeUser, updateUser } from "../credentials/people.js";
import { Secret } from "../credentials/secret.js";
import { ExitCode, OperatorError } from "../errors.js";
import { checkPrivateFile, writePasswordFile } from "../host/passwordFile.js";
import type { DeployContext } from "../operation/context.js";
import type { PeopleRequest } from "../operation/secretsChange.js";
import { warnOfStoredLogins } from "../operation/storedLogins.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { delivered, printFile } from "../terminal/output.js";
import { table } from "../terminal/table.js";
import { readUsers } from "../users/listUsers.js";
import { changeUsers, type HandOver } from "../users/rotation.js";
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

type Apply = (people: readonly HtpasswdEntry[], login: Login, cost: number) => Change;

/** A new password for one user. */
export const rotatePassword = (flags: UserFlags): Promise<ExitCode> =>
  setPassword(flags, changePassword, (context) => existingUser(flags, context), warnOfStoredLogins);

/** A new user. */
export const userAdd = (user: string, flags: UserFlags & RemarkFlags): Promise<ExitCode> =>
  setPassword(
    flags,
    (people, login, cost) => addUser(people, login, cost, flags),
    async () => user,
  );

/** Another end or note of a user, whose password stays. */
export async function userUpdate(
  user: string,
  flags: Omit<UserFlags, "length"> & RemarkFlags,
): Promise<ExitCode> {
  if (flags.until === undefined && flags.note === undefined) {
    throw new OperatorError("nothing to change", {
      where: user,
      remedy: "Use --until, --note, or both.",
      exitCode: ExitCode.usage,
    });
  }
  const apply = (people: readonly HtpasswdEntry[]) => updateUser(people, user, flags);
  return changeOne(flags, apply, ({ change, reporter }) => {
    const { until, note } = change?.people.find((entry) => entry.user === user) ?? {};
    reporter.result({ user, until: until ?? null, note: note ?? null }, [`${user} is changed.`]);
  });
}

/** A user less. */
export async function userRemove(user: string, flags: Omit<UserFlags, "length">): Promise<ExitCode> {
  return changeOne(
    flags,
    (people) => removeUser(people, user),
    async (context) => {
      context.reporter.result({ removed: user }, [`${user} is removed.`]);
      warnAboutEnvironment(user, context);
      await warnOfStoredLogins(context);
    },
    (config) => environmentLogin(user, config),
  );
}

/** A change that brings no password. */
async function changeOne(
  flags: Omit<UserFlags, "length">,
  apply: PeopleRequest["apply"],
  report: (context: DeployContext) => Promise<void> | void,
  former: (config: Config) => Login | undefined = () => undefined,
): Promise<ExitCode> {
  const { context, cleanupDocker } = await openUserSession(flags);
  requireHtpasswd(context);
  const request: PeopleRequest = { apply, login: undefined, origin: "given", former: former(context.config) };
  const prepared = { ...context, request };
  await changeUsers(prepared, cleanupDocker, async () => undefined);
  if (!flags.dryRun) await report(prepared);
  return ExitCode.ok;
}

/** The users, with the bcrypt cost and the age of their passwords, their ends and notes; never a hash. */
export async function userList(flags: Omit<UserFlags, "length">): Promise<ExitCode> {
  const { context } = await openUserSession(flags);
  const users = await readUsers(context);
  const rows = users.map(({ user, cost, changed, until, note }) => [
    user,
    String(cost),
    changed?.toISOString() ?? "not noted",
    until ?? "-",
    note ?? "",
  ]);
  context.reporter.result(
    {
      users: users.map(({ user, cost, changed, until, note }) => ({
        user,
        cost,
        changed: changed?.toISOString() ?? null,
        until: until ?? null,
        note: note ?? null,
      })),
    },
    table(["USER", "BCRYPT COST", "PASSWORD CHANGED", "UNTIL", "NOTE"], rows),
  );
  return ExitCode.ok;
}

/**
 * @param choose whose password it is
 * @param warn of what the old password was good for
 */
async function setPassword(
  flags: UserFlags,
  apply: Apply,
  choose: (context: DeployContext) => Promise<string>,
  warn: (context: DeployContext) => Promise<void> = async () => undefined,
): Promise<ExitCode> {
  if (flags.passwordFile !== undefined) await checkPrivateFile(flags.passwordFile);
  const { context, cleanupDocker } = await openUserSession(flags);
  requireHtpasswd(context);
  const { config, reporter } = context;
  const user = checkUserName(await choose(context));
  const password = flags.passwordStdin
    ? checkPassword(await passwordFromStdin())
    : generatePassword(flags.length);
  const cost = flags.passwordStdin ? config.credentials.bcryptCost : GENERATED_BCRYPT_COST;
  const login: Login = { user, password };
  const request: PeopleRequest = {
    apply: (people) => apply(people, login, cost),
    login,
    origin: flags.passwordStdin ? "given" : "generated",
    former: environmentLogin(user, context.config),
  };
  const prepared: DeployContext = { ...context, request };
  await changeUsers(prepared, cleanupDocker, handOverTo(flags, prepared));
  if (flags.dryRun) return ExitCode.ok;
  reporter.note(
    "info",
    `The new password of ${user} works${context.options.verify ? "" : " (not proved: --no-verify)"}.`,
  );
  if (flags.json) reporter.result({ user }, []);
  warnAboutEnvironment(user, context);
  await warn(context);
  return ExitCode.ok;
}

/**
 * Whose password is meant: --user, REGISTRY_USERNAME, the only user, or the answer to a question.
 *
 * @throws OperatorError that lists the users where there are several and no terminal to ask at
 */
async function existingUser({ user }: UserFlags, context: DeployContext): Promise<string> {
  const named = user ?? process.env.REGISTRY_USERNAME;
  if (named) return named;
  const names = (await readUsers(context)).map((entry) => entry.user);
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
    where: context.config.stack,
    remedy: `Name one of them with --user, such as --user ${only}.`,
    exitCode: ExitCode.usage,
  });
}

/** To a file, as JSON, for a person, or, into a pipe, the password alone. */
function handOverTo({ passwordFile, json }: UserFlags, { reporter }: DeployContext): HandOver {
  return async (user, password) => {
    if (passwordFile !== undefined) await writePasswordFile(passwordFile, password);
    else if (json || process.stdout.isTTY) await reporter.password(user, password);
    else {
      printFile(`${password}\n`);
      await delivered();
    }
  };
}

/** @throws OperatorError where only Authelia knows the users, so that a change of the htpasswd would have no effect */
function requireHtpasswd({ config: { stack, users } }: DeployContext): void {
  if (users.provider !== "authelia") return;
  throw new OperatorError("its users are Authelia's (users.provider: authelia)", {
    where: stack,
    remedy: "Change them where Authelia has them, or deploy with users.provider: both for machine users.",
    exitCode: ExitCode.preflight,
  });
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
function warnAboutEnvironment(user: string, { config, reporter }: DeployContext): void {
  const lines = (process.env.REGISTRY_HTPASSWD ?? "").split("\n");
  const named = lines.some((line) => line.trim().startsWith(`${user}:`));
  if (!named && environmentLogin(user, config) === undefined) return;
  reporter.note(
    "warning",
    `REGISTRY_HTPASSWD or REGISTRY_RAW_PASSWORD still holds the old password of ${user}\n    Update them, or the next hephaestus deploy sets the old password again.`,
  );
}
