import type { AddCommand } from "./command.js";
import { stackOptions } from "./options.js";

export const addHistory: AddCommand = (program, finish) => {
  stackOptions(program.command("history"))
    .description(
      "list the deploys, rotations and other operations: who, when, config, images and generations",
    )
    .addHelpText(
      "after",
      "\nThe Swarm keeps the records of the last 20 deploys.\n\nExample:\n  hephaestus history",
    )
    .action(async (options) => finish(await (await import("../actions/history.js")).history(options)));
};
