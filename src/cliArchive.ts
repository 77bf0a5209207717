import { type Command, Option } from "commander";
import {
  configOption,
  contextOption,
  reportOptions,
  resolveImageOption,
  timeoutOption,
} from "./cliOptions.js";
import type { ExitCode } from "./errors.js";

const storageContextOption = () =>
  new Option("--storage-context <name>", "docker context of the node with the storage, where it is a worker");

/** Commands that keep and bring back what the stack holds. */
export function addArchive(program: Command, finish: (code: ExitCode) => void): void {
  const tool = `hephaestus ${program.version()}`;
  reportOptions(
    program
      .command("backup <file>")
      .description("back up config, users and images into a file; the registry goes on")
      .addOption(configOption())
      .addOption(contextOption())
      .addOption(storageContextOption()),
  )
    .addHelpText(
      "after",
      "\nWhere the file is a backup already, only what is new is added. A run that was broken off is resumed\nby the same command. Exits 7 when the storage is damaged: the rest is backed up.\n\nExample:\n  hephaestus backup registry.backup",
    )
    .action(async (file, options) =>
      finish(await (await import("./commands/backup.js")).backup(file, { ...options, tool })),
    );
  reportOptions(
    program
      .command("restore <file>")
      .description("bring back config, users and images from a backup, and deploy the stack where it is not")
      .addOption(configOption())
      .addOption(contextOption())
      .addOption(storageContextOption())
      .option("--host <user@host>", "node that holds the storage, prepared over ssh")
      .option("--skip-host-setup", "leave the host as it is")
      .option("--verify", "read everything back from the storage and prove that every image is whole")
      .option(
        "--force",
        "write to storage that holds other images too: they stay, tags get the backup's images",
      )
      .option("--dry-run", "prove the file alone: every blob and every image; touch nothing, needs no Docker")
      .addOption(timeoutOption())
      .addOption(resolveImageOption()),
  )
    .addHelpText(
      "after",
      "\nA hephaestus.yaml that is there counts; where there is none, that of the backup is written and rendered.\nUsers of a stack that has some stay. A run that was broken off goes on with the same command.\nExits 7 when the backup or the storage is damaged.\n\nExample:\n  hephaestus restore registry.backup --verify",
    )
    .action(async (file, { skipHostSetup, ...options }) =>
      finish(
        await (await import("./commands/restore.js")).restore(file, {
          ...options,
          hostSetup: !skipHostSetup,
        }),
      ),
    );
}
