import type { AddCommand } from "./command.js";
import { configOption, jsonOption } from "./options.js";

export const addAccess: AddCommand = (program, finish) => {
  program
    .command("access <user> <repository>")
    .description("show what a user may do with a repository, and which rule says so; needs no Docker")
    .addOption(configOption())
    .option("--groups <groups>", "groups that Authelia has the user in, separated by commas", (value) =>
      value.split(","),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nThe user anonymous stands for someone without a login.\n\nExample:\n  hephaestus access ann team-a/app",
    )
    .action(async (user, repository, options) =>
      finish(await (await import("../actions/access.js")).access(user, repository, options)),
    );
};
