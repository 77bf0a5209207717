import { bcryptCost } from "../credentials/htpasswd.js";
import { addUser, endingLogin, removeUser, updateUser } from "../credentials/userChanges.js";
import { ExitCode, OperatorError } from "../errors.js";
import { warnOfStoredLogins } from "../swarm/storedLogins.js";
import { table } from "../terminal/table.js";
import { requireUsers } from "../users/readUsers.js";
import { changeUsers } from "../users/rotation.js";
import { type AddCommand, passwordOptions, remarkOptions, rolloutOptions, userOptions } from "./options.js";
import { openUserSession } from "./session.js";
import { environmentLogin, openForChange, setPassword, warnAboutEnvironment } from "./setPassword.js";

export const addUsers: AddCommand = (program, finish) => {
  const user = program
    .command("user")
    .description("manage the users who may push")
    .addHelpText("after", "\nExample:\n  hephaestus user list");
  remarkOptions(passwordOptions(rolloutOptions(userOptions(user.command("add <name>")))))
    .description("add a user")
    .addHelpText(
      "after",
      "\nExample:\n  hephaestus user add ci --password-file ci-password --until 2027-03-01 --note 'builds of team a'",
    )
    .action(async (user, flags) => {
      await setPassword(
        flags,
        () => user,
        (password) => addUser(password, flags),
      );
      finish(ExitCode.ok);
    });
  remarkOptions(rolloutOptions(userOptions(user.command("update <name>"))))
    .description("change when a user ends, or what the user is for; the password stays")
    .addHelpText("after", "\nExample:\n  hephaestus user update ci --until 2027-06-01")
    .action(async (user, flags) => {
      if (flags.until === undefined && flags.note === undefined) {
        throw new OperatorError("nothing to change", {
          where: user,
          remedy: "Use --until, --note, or both.",
          exitCode: ExitCode.usage,
        });
      }
      const session = await openForChange(flags);
      const { change } = await changeUsers(session, updateUser(user, flags));
      if (flags.dryRun) return finish(ExitCode.ok);
      const users = change?.users ?? (await requireUsers(session)).users;
      const { until, note } = users.find((entry) => entry.user === user) ?? {};
      session.reporter.result({ user, until: until ?? null, note: note ?? null }, [`${user} is changed.`]);
      finish(ExitCode.ok);
    });
  rolloutOptions(userOptions(user.command("remove <name>")))
    .description("remove a user; the last user cannot be removed")
    .addHelpText("after", "\nExample:\n  hephaestus user remove ci")
    .action(async (user, flags) => {
      const session = await openForChange(flags);
      await changeUsers(session, endingLogin(environmentLogin(user, session.config), removeUser(user)));
      if (flags.dryRun) return finish(ExitCode.ok);
      session.reporter.result({ removed: user }, [`${user} is removed.`]);
      warnAboutEnvironment(user, session);
      await warnOfStoredLogins(session, [user]);
      finish(ExitCode.ok);
    });
  userOptions(user.command("list"))
    .description("list the users, with the age of their passwords, when they end, and what they are for")
    .addHelpText("after", "\nExample:\n  hephaestus user list --json")
    .action(async (flags) => {
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
      finish(ExitCode.ok);
    });
};
