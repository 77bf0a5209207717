import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { timeFrom } from "../credentials/age.js";
import { ACTIONS } from "../services/accessActions.js";
import type { AddCommand } from "./command.js";
import { configOption, contextOption, jsonOption, repositoryGlob } from "./options.js";

export const addAudit: AddCommand = (program, finish) => {
  program
    .command("audit")
    .description("list who pulled, pushed or deleted which image, and what was refused")
    .addOption(configOption())
    .addOption(contextOption())
    .addOption(
      new Option("--since <time>", "how far back: 30m, 12h, 7d, or a date such as 2026-11-20")
        .default("24h")
        .argParser(pastTime),
    )
    .option("--user <name>", "only this user")
    .addOption(
      new Option("--repository <glob>", "only these repositories; ** matches slashes too").argParser(
        repositoryGlob,
      ),
    )
    .addOption(new Option("--action <action>", "only this action").choices(ACTIONS))
    .option("--all", "every request, also those that are part of a pull, a push or a login")
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nIt reads the gateway's log from the Swarm, which keeps the last 30 MB of each task. A dash is a request without a\nlogin.\n\nExample:\n  hephaestus audit --since 7d --user ann",
    )
    .action(async (options) => finish(await (await import("../actions/audit.js")).audit(options)));
};

function pastTime(value: string): string {
  if (timeFrom(value, new Date()) === undefined)
    throw new InvalidArgumentError("Enter a time such as 30m, 12h or 7d, or a date such as 2026-11-20.");
  return value;
}
