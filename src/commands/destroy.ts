import type { AddCommand } from "./command.js";
import { stackOptions, timeoutOption, yesOption } from "./options.js";

export const addDestroy: AddCommand = (program, finish) => {
  stackOptions(program.command("destroy"))
    .description("remove the stack, its secrets and its configs; the images stay")
    .option("--data", "remove the images too")
    .addOption(yesOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      "\nNothing else in the Swarm is changed. Without --yes you have to type the name of the stack.\n\nExample:\n  hephaestus destroy --yes",
    )
    .action(async (options) => finish(await (await import("../actions/destroy.js")).destroy(options)));
};
