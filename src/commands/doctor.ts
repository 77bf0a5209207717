import { Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import { calendar, noVerifyOption, outputOption, stackOptions } from "./options.js";

export const addDoctor: AddCommand = (program, finish) => {
  stackOptions(program.command("doctor"))
    .description("report everything that is wrong or soon will be, with evidence and remedy")
    .addOption(outputOption())
    .addOption(noVerifyOption())
    .option(
      "--notify",
      "report what is new since the last time, and what is resolved, by alerts of the config",
    )
    .addOption(
      new Option(
        "--schedule [calendar]",
        "print systemd units that run it with --notify at these times (default: every 15 minutes)",
      ).argParser(calendar),
    )
    .option("--install", "put these units onto this machine and start the timer")
    .option(
      "--environment-file <file>",
      "with --schedule or --install: file from which the units read HEPHAESTUS_ALERT_URL",
    )
    .addHelpText(
      "after",
      "\nIt changes nothing, and it works without Docker too. It exits 1 if it finds something.\nWith --notify and a timer it watches the stack; HEPHAESTUS_ALERT_URL overrides alerts.url.\n\nExample:\n  hephaestus doctor || hephaestus logs --tail 20",
    )
    .action(async (options) => finish(await (await import("../actions/doctor.js")).doctor(options)));
};
