import type { AddCommand } from "./command.js";
import { passwordOptions, rolloutOptions, userOptions } from "./options.js";

export const addUser: AddCommand = (program, finish) => {
  const user = program
    .command("user")
    .description("manage the people and machines that push")
    .addHelpText("after", "\nExample:\n  hephaestus user list");
  const actions = () => import("../actions/users.js");
  passwordOptions(rolloutOptions(userOptions(user.command("add <name>"))))
    .description("add a user")
    .addHelpText("after", "\nExample:\n  hephaestus user add ci --password-file ci-password")
    .action(async (name, options) => finish(await (await actions()).userAdd(name, options)));
  rolloutOptions(userOptions(user.command("remove <name>")))
    .description("remove a user; the last user cannot be removed")
    .addHelpText("after", "\nExample:\n  hephaestus user remove ci")
    .action(async (name, options) => finish(await (await actions()).userRemove(name, options)));
  userOptions(user.command("list"))
    .description("list the users, with the bcrypt cost and the age of their passwords")
    .addHelpText("after", "\nExample:\n  hephaestus user list --json")
    .action(async (options) => finish(await (await actions()).userList(options)));
};
