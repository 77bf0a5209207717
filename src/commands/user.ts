import type { AddCommand } from "./command.js";
import { passwordOptions, remarkOptions, rolloutOptions, userOptions } from "./options.js";

export const addUser: AddCommand = (program, finish) => {
  const user = program
    .command("user")
    .description("manage the people and machines that push")
    .addHelpText("after", "\nExample:\n  hephaestus user list");
  const actions = () => import("../actions/users.js");
  remarkOptions(passwordOptions(rolloutOptions(userOptions(user.command("add <name>")))))
    .description("add a user")
    .addHelpText(
      "after",
      "\nExample:\n  hephaestus user add ci --password-file ci-password --until 2027-03-01 --note 'builds of team a'",
    )
    .action(async (name, options) => finish(await (await actions()).userAdd(name, options)));
  remarkOptions(rolloutOptions(userOptions(user.command("update <name>"))))
    .description("change when a user ends, or what the user is for; the password stays")
    .addHelpText("after", "\nExample:\n  hephaestus user update ci --until 2027-06-01")
    .action(async (name, options) => finish(await (await actions()).userUpdate(name, options)));
  rolloutOptions(userOptions(user.command("remove <name>")))
    .description("remove a user; the last user cannot be removed")
    .addHelpText("after", "\nExample:\n  hephaestus user remove ci")
    .action(async (name, options) => finish(await (await actions()).userRemove(name, options)));
  userOptions(user.command("list"))
    .description("list the users, with the age of their passwords, when they end, and what they are for")
    .addHelpText("after", "\nExample:\n  hephaestus user list --json")
    .action(async (options) => finish(await (await actions()).userList(options)));
};
