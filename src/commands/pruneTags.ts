import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import {
  configOption,
  dryRunOption,
  jsonOption,
  loginOptions,
  quietOption,
  repositoryGlob,
  tagGlob,
  wholeNumber,
} from "./options.js";

export const addPruneTags: AddCommand = (program, finish) => {
  loginOptions(program.command("prune-tags"))
    .description(
      "delete tags by age or number, or by the rules of the config; what another tag still needs is kept",
    )
    .addOption(configOption())
    .addOption(
      new Option("--keep-last <number>", "keep the newest matching tags of each repository").argParser(
        wholeNumber(0, 1_000_000),
      ),
    )
    .addOption(
      new Option("--older-than <days>", "delete only what was built longer ago, such as 30d").argParser(days),
    )
    .addOption(new Option("--match <glob>", "tags that may be deleted").default("*").argParser(tagGlob))
    .addOption(
      new Option("--repository <glob>", "repositories to prune; ** matches slashes too")
        .default("**")
        .argParser(repositoryGlob),
    )
    .addOption(dryRunOption())
    .option("--explain", "list each tag with the reason why it stays or goes")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nThis needs registry.delete: true. Without --keep-last and --older-than, the rules of retention in the config\ndecide, and --match is not used. Signatures, attestations and SBOMs are kept and deleted together with their\nimage. An image without a plausible date never counts as old. If dates are equal or unknown, version numbers\nare compared. If the rules of access hide something from the user that would be pruned, that is named, and the exit\ncode is 7.\n\nExample:\n  hephaestus prune-tags --match 'pr-*' --older-than 30d --keep-last 5 --explain --dry-run",
    )
    .action(async (options) => finish(await (await import("../actions/pruneTags.js")).pruneTags(options)));
};

function days(value: string): number {
  const number = /^(\d{1,5})d?$/.exec(value)?.[1];
  if (number === undefined) throw new InvalidArgumentError("Enter a number of days, such as 30d.");
  return Number(number);
}
