import { Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import { calendar, loginOptions, stackOptions, wholeNumber } from "./options.js";

export const addMaintain: AddCommand = (program, finish) => {
  loginOptions(stackOptions(program.command("maintain")))
    .description("mirror, prune, gc and backup, each if it is configured: one report, one exit code")
    .addOption(
      new Option("--timeout <seconds>", "time limit of the mirror and of the gc, each")
        .default(3600)
        .argParser(wholeNumber(1, 86_400)),
    )
    .addOption(
      new Option(
        "--schedule [calendar]",
        "print systemd units that run it at these times (default: maintenance.calendar)",
      ).argParser(calendar),
    )
    .option("--install", "put these units onto this machine and start the timer")
    .option(
      "--password-file <file>",
      "with --schedule or --install: file from which the units read the password",
    )
    .addHelpText(
      "after",
      "\nmirror, retention and maintenance of the config say what is done. A part that fails does not keep the others\nfrom running; the exit code is that of the first one that failed. prune needs the password of a user who may\ndelete.\n\nExample:\n  hephaestus maintain --schedule 'Sun 04:00'",
    )
    .action(async (options) =>
      finish(
        await (await import("../actions/maintain.js")).maintain({
          ...options,
          tool: `hephaestus ${program.version()}`,
        }),
      ),
    );
};
