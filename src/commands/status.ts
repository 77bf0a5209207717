import type { AddCommand } from "./command.js";
import { noVerifyOption, stackOptions } from "./options.js";

export const addStatus: AddCommand = (program, finish) => {
  stackOptions(program.command("status"))
    .description("show the state of the stack on one screen; exit 1 if something is wrong")
    .option("--watch", "refresh every 2 seconds")
    .addOption(noVerifyOption())
    .addHelpText("after", "\nExample:\n  hephaestus status --json")
    .action(async (options) => finish(await (await import("../actions/status.js")).status(options)));
};
