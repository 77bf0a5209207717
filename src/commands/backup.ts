import type { AddCommand } from "./command.js";
import { dryRunOption, jsonOption, loginOptions, quietOption, stackOptions, wholeNumber } from "./options.js";

export const addBackup: AddCommand = (program, finish) => {
  const tool = `hephaestus ${program.version()}`;
  const actions = () => import("../actions/backup.js");
  const backup = loginOptions(stackOptions(program.command("backup").argument("<directory>")))
    .description("back up config, users and images to an OCI image layout while the registry runs")
    .option("--images-only", "leave out config and users; needs no Docker")
    .option("--from <url>", "back up the images of another registry, such as https://old.example.com")
    .addHelpText(
      "after",
      "\nIf the directory is a backup already, only new content is read. To resume an interrupted backup, run the same\ncommand again. If the registry is damaged, everything else is backed up and the exit code is 7. The images of the\nstack are all read, whatever the rules of access say. --images-only and --from read what their login may pull;\nwhat the rules hide from it is named, and the exit code is 7.\n\nExample:\n  hephaestus backup /backup/registry",
    )
    .action(async (directory, options) =>
      finish(await (await actions()).backup(directory, { ...options, tool })),
    );
  backup
    .command("list <directory>")
    .description("list the backups of a directory")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  hephaestus backup list /backup/registry")
    .action(async (directory, _, command) =>
      finish(await (await actions()).backupList(directory, command.optsWithGlobals())),
    );
  backup
    .command("prune <directory>")
    .description("remove old backups of a directory, and the blobs that only they need")
    .requiredOption("--keep <number>", "newest backups to keep", wholeNumber(1, 1_000_000))
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText("after", "\nExample:\n  hephaestus backup prune /backup/registry --keep 7")
    .action(async (directory, _, command) =>
      finish(await (await actions()).backupPrune(directory, command.optsWithGlobals())),
    );
};
