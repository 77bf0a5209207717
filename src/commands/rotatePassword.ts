import { changePassword } from "../credentials/userChanges.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { warnOfStoredLogins } from "../swarm/storedLogins.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { requireUsers } from "../users/readUsers.js";
import { type AddCommand, passwordOptions, rolloutOptions, userOptions } from "./options.js";
import { setPassword, type UserFlags } from "./setPassword.js";

export const addRotatePassword: AddCommand = (program, finish) => {
  passwordOptions(rolloutOptions(userOptions(program.command("rotate-password"))))
    .description("give a user a new password, without a failed pull")
    .option("--user <name>", "user (default: REGISTRY_USERNAME, or the only user)")
    .addHelpText(
      "after",
      "\nOnly the registry is updated. Pulls continue, and so do pushes of other users. If the rotation fails, the old\npassword stays valid. If standard output is a pipe, only the password is written to it.\n\nExample:\n  hephaestus rotate-password --user ci --password-file ci-password",
    )
    .action(async (flags) => {
      const session = await setPassword(flags, (opened) => existingUser(flags, opened), changePassword);
      if (!flags.dryRun) await warnOfStoredLogins(session);
      finish(ExitCode.ok);
    });
};

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
