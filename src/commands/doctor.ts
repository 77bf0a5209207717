import type { AddCommand } from "./command.js";
import { noVerifyOption, outputOption, stackOptions } from "./options.js";

export const addDoctor: AddCommand = (program, finish) => {
  stackOptions(program.command("doctor"))
    .description("report everything that is wrong or soon will be, with evidence and remedy")
    .addOption(outputOption())
    .addOption(noVerifyOption())
    .addHelpText(
      "after",
      "\nIt changes nothing, and it works without Docker too. It exits 1 if it finds something.\n\nExample:\n  hephaestus doctor || hephaestus logs --tail 20",
    )
    .action(async (options) => finish(await (await import("../actions/doctor.js")).doctor(options)));
};
