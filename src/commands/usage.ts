import type { AddCommand } from "./command.js";
import { configOption, contextOption, jsonOption, loginOptions } from "./options.js";

export const addUsage: AddCommand = (program, finish) => {
  loginOptions(program.command("usage"))
    .description("show how much each repository needs, what it shares, and when it was used last")
    .addOption(configOption())
    .addOption(contextOption())
    .option("--no-log", "do not look up last pushes and pulls, which needs Docker")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nIt counts what tags hold. OWN is what no other repository holds: what a deletion of all its tags and a gc free.\nWhat is not public needs a login that may pull it; if the rules of access hide something from it, that is named, and\nthe exit code is 7. Last pushes and pulls come from the gateway's log, of which the Swarm keeps the last 30 MB of each\ntask.\n\nExample:\n  hephaestus usage",
    )
    .action(async (options) => finish(await (await import("../actions/usage.js")).usage(options)));
};
