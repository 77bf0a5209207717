import type { AddCommand } from "./command.js";
import { configOption, outputOption, quietOption } from "./options.js";

export const addRender: AddCommand = (program, finish) => {
  program
    .command("render")
    .description("write docker-compose.yml and the files that it refers to; needs no Docker")
    .addOption(configOption())
    .addOption(outputOption())
    .option("--stdout", "print the compose file, write nothing")
    .option("--check", "write nothing; print a diff and exit 1 if the files on disk are stale")
    .option("--explain", "write nothing; print the rules of access as a table")
    .option("--diff", "write nothing; print what would change")
    .addOption(quietOption())
    .addHelpText("after", "\nExample:\n  hephaestus render --check")
    .action(async (options) => finish(await (await import("../actions/render.js")).render(options)));
};
