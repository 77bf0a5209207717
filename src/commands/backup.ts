import type { AddCommand } from "./command.js";
import { stackOptions, storageContextOption } from "./options.js";

export const addBackup: AddCommand = (program, finish) => {
  const tool = `hephaestus ${program.version()}`;
  stackOptions(program.command("backup <file>"))
    .description("back up config, users and images to a file while the registry runs")
    .addOption(storageContextOption())
    .addHelpText(
      "after",
      "\nIf the file is a backup already, only new content is added. To resume an interrupted backup, run the same\ncommand again. If the storage is damaged, everything else is backed up and the exit code is 7.\n\nExample:\n  hephaestus backup registry.backup",
    )
    .action(async (file, options) =>
      finish(await (await import("../actions/backup.js")).backup(file, { ...options, tool })),
    );
};
