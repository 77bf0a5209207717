import type { AddCommand } from "./command.js";
import { outputOption, stackOptions } from "./options.js";

export const addDiff: AddCommand = (program, finish) => {
  stackOptions(program.command("diff"))
    .description(
      "show what deploy would change in the Swarm, service by service; exit 1 if anything would change",
    )
    .addOption(outputOption())
    .addHelpText(
      "after",
      "\nThe config is compared with the running services, so changes that were made by hand show up too. Passwords in the\nenvironment are taken into account as in deploy.\n\nExample:\n  hephaestus diff",
    )
    .action(async (options) => finish(await (await import("../actions/diff.js")).diff(options)));
};
