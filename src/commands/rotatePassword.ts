import type { AddCommand } from "./command.js";
import { passwordOptions, rolloutOptions, userOptions } from "./options.js";

export const addRotatePassword: AddCommand = (program, finish) => {
  passwordOptions(rolloutOptions(userOptions(program.command("rotate-password"))))
    .description("give a user a new password, without a failed pull")
    .option("--user <name>", "user (default: REGISTRY_USERNAME, or the only user)")
    .addHelpText(
      "after",
      "\nOnly the registry is updated. Pulls continue, and so do pushes of other users. If the rotation fails, the old\npassword stays valid. If standard output is a pipe, only the password is written to it.\n\nExample:\n  hephaestus rotate-password --user ci --password-file ci-password",
    )
    .action(async (options) => finish(await (await import("../actions/users.js")).rotatePassword(options)));
};
