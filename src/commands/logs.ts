import { Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import { configOption, contextOption, wholeNumber } from "./options.js";

export const addLogs: AddCommand = (program, finish) => {
  program
    .command("logs [service]")
    .description("print the logs of the stack, or of one of its services")
    .addOption(configOption())
    .addOption(contextOption())
    .option("-f, --follow", "follow the log output")
    .addOption(
      new Option("-n, --tail <lines>", "number of lines to show from the end of the logs of each task")
        .default(50)
        .argParser(wholeNumber(0, 100_000)),
    )
    .addHelpText("after", "\nExample:\n  hephaestus logs gateway --tail 20")
    .action(async (service, options) =>
      finish(await (await import("../actions/logs.js")).logs(service, options)),
    );
};
