import type { Command } from "commander";
import { configOption } from "./cliOptions.js";
import { stackOptions } from "./cliUsers.js";
import type { ExitCode } from "./errors.js";

type Finish = (code: ExitCode) => void;

/** Commands about what would change, and about changes of the config file. */
export function addChanges(program: Command, finish: Finish): void {
  stackOptions(program.command("diff"))
    .description(
      "show what deploy would change in the Swarm, service by service; exits 1 when something would",
    )
    .option("-o, --output <folder>", "folder of docker-compose.yml (default: that of the config file)")
    .addHelpText(
      "after",
      "\nThe config is compared with what runs; whoever changed a service by hand is seen too. Passwords from the\nenvironment count as in deploy.\n\nExample:\n  hephaestus diff",
    )
    .action(async (options) => finish(await (await import("./commands/diff.js")).diff(options)));
  editOptions(program.command("upgrade"))
    .description("put newer known-good versions of the images into the config file; comments and order stay")
    .option("--major", "also from registry 2.x to 3.x")
    .addHelpText(
      "after",
      "\nImages that the file leaves to the defaults, that are pinned by digest or that are unknown stay.\n\nExample:\n  hephaestus upgrade --dry-run",
    )
    .action(async (options) => finish(await (await import("./commands/upgrade.js")).upgrade(options)));
  editOptions(program.command("migrate"))
    .description("bring a config file of an older version to the current one; comments stay")
    .addHelpText("after", "\nExample:\n  hephaestus migrate --dry-run")
    .action(async (options) => finish(await (await import("./commands/migrate.js")).migrate(options)));
}

/** What every command has that edits the config file. */
const editOptions = (command: Command): Command =>
  command
    .addOption(configOption())
    .option("-y, --yes", "write without asking")
    .option("--dry-run", "show the difference, write nothing");
