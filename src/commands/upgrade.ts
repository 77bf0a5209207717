import type { AddCommand } from "./command.js";
import { editOptions } from "./options.js";

export const addUpgrade: AddCommand = (program, finish) => {
  editOptions(program.command("upgrade"))
    .description("update the images in the config file to newer tested versions; comments and order are kept")
    .option("--major", "also update from registry 2.x to 3.x")
    .addHelpText(
      "after",
      "\nImages that the file does not set, that are pinned by digest, or that are unknown are not changed.\n\nExample:\n  hephaestus upgrade --dry-run",
    )
    .action(async (options) => finish(await (await import("../actions/upgrade.js")).upgrade(options)));
};
