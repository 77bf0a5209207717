import type { Command } from "commander";
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
}
