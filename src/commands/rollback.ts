import type { AddCommand } from "./command.js";
import { rolloutOptions, stackOptions, wholeNumber } from "./options.js";

export const addRollback: AddCommand = (program, finish) => {
  rolloutOptions(stackOptions(program.command("rollback")))
    .argument(
      "[number]",
      "number of the record (default: the newest one that differs from the running stack)",
      wholeNumber(1, 1e9),
    )
    .description("roll the stack back to a record: its files, and its images by digest")
    .addHelpText(
      "after",
      "\nThe users and their passwords are not rolled back.\n\nExample:\n  hephaestus rollback --dry-run",
    )
    .action(async (number, options) =>
      finish(await (await import("../actions/history.js")).rollback(number, options)),
    );
};
