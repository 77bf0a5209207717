import type { AddCommand } from "./command.js";
import { resolveImageOption, stackOptions, storageContextOption, timeoutOption } from "./options.js";

export const addRestore: AddCommand = (program, finish) => {
  stackOptions(program.command("restore <file>"))
    .description("restore config, users and images from a backup, and deploy the stack if it does not run")
    .addOption(storageContextOption())
    .option("--host <user@host>", "node that holds the storage, to be prepared over ssh")
    .option("--skip-host-setup", "do not prepare the host")
    .option("--read-back", "read everything back from the storage and check that every image is complete")
    .option(
      "--force",
      "restore into storage that holds other images: they stay, tags get the image of the backup",
    )
    .option("--dry-run", "check every blob and every image of the file; change nothing, needs no Docker")
    .addOption(timeoutOption())
    .addOption(resolveImageOption())
    .addHelpText(
      "after",
      "\nAn existing hephaestus.yaml is used. If there is none, the one of the backup is written and rendered. If the stack\nhas users, they stay. To resume an interrupted restore, run the same command again. If the backup or the\nstorage is damaged, the exit code is 7.\n\nExample:\n  hephaestus restore registry.backup --read-back",
    )
    .action(async (file, { skipHostSetup, ...options }) =>
      finish(
        await (await import("../actions/restore.js")).restore(file, {
          ...options,
          hostSetup: !skipHostSetup,
        }),
      ),
    );
};
