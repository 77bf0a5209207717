import type { AddCommand } from "./command.js";
import { resolveImageOption, stackOptions, timeoutOption } from "./options.js";

export const addRestore: AddCommand = (program, finish) => {
  stackOptions(program.command("restore <directory>"))
    .description("restore config, users and images from a backup, and deploy the stack if it does not run")
    .option("--at <backup>", "restore an earlier backup of the directory (see: hephaestus backup list)")
    .option("--host <user@host>", "node that holds the storage, to be prepared over ssh")
    .option("--skip-host-setup", "do not prepare the host")
    .option("--read-back", "read everything back from the registry and check that every image is complete")
    .option(
      "--force",
      "restore into a registry that has other images: they stay, tags get the image of the backup",
    )
    .option("--dry-run", "check every blob and every image of the backup; change nothing, needs no Docker")
    .addOption(timeoutOption())
    .addOption(resolveImageOption())
    .addHelpText(
      "after",
      "\nAn existing hephaestus.yaml is used. If there is none, the one of the backup is written and rendered. If the stack\nhas users, they stay; one without images gets the users of the backup too. The images are pushed with\nREGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or by a temporary user. To resume an interrupted restore, run the same\ncommand again. If the backup or the registry is damaged, or the backup is incomplete, the exit code is 7.\n\nExample:\n  hephaestus restore /backup/registry --read-back",
    )
    .action(async (directory, { skipHostSetup, ...options }) =>
      finish(
        await (await import("../actions/restore.js")).restore(directory, {
          ...options,
          hostSetup: !skipHostSetup,
        }),
      ),
    );
};
