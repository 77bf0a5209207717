import type { Command } from "commander";
import { stackOptions } from "./cliUsers.js";
import type { ExitCode } from "./errors.js";

/** The command that tells what is wrong. */
export function addDoctor(program: Command, finish: (code: ExitCode) => void): void {
  stackOptions(program.command("doctor"))
    .description("tell everything that is wrong or will be, each with its evidence and its remedy")
    .option("-o, --output <folder>", "folder of docker-compose.yml (default: that of the config file)")
    .option("--no-verify", "do not ask at the front door, nor look up its names")
    .addHelpText(
      "after",
      "\nChanges nothing, and works without Docker too. Exits 1 when something is found.\n\nExample:\n  hephaestus doctor || hephaestus logs --tail 20",
    )
    .action(async (options) => finish(await (await import("./commands/doctor.js")).doctor(options)));
}
