import { Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import { dryRunOption, stackOptions, wholeNumber } from "./options.js";

export const addGc: AddCommand = (program, finish) => {
  stackOptions(program.command("gc"))
    .description("free the space of blobs that no image needs; pulls continue, pushes are refused meanwhile")
    .option("--delete-untagged", "delete manifests without a tag first")
    .addOption(dryRunOption())
    .addOption(
      new Option("--timeout <seconds>", "time limit of the gc")
        .default(3600)
        .argParser(wholeNumber(1, 86_400)),
    )
    .addHelpText(
      "after",
      "\nUploads in progress may finish first, for at most 15 minutes. Pushes are accepted again afterwards, even if gc\nfails.\n\nExample:\n  hephaestus gc --dry-run",
    )
    .action(async (options) => finish(await (await import("../actions/gc.js")).gc(options)));
};
