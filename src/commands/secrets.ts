import type { AddCommand } from "./command.js";
import { dryRunOption, stackOptions } from "./options.js";

export const addSecrets: AddCommand = (program, finish) => {
  const actions = () => import("../actions/secrets.js");
  const secrets = stackOptions(program.command("secrets"))
    .description("list the secrets of the stack: generation, age, the services that use them, and leftovers")
    .addHelpText("after", "\nExample:\n  hephaestus secrets")
    .action(async (options) => finish(await (await actions()).secretsList(options)));
  stackOptions(secrets.command("prune"))
    .description("remove secrets that no service uses and no deploy would keep")
    .addOption(dryRunOption())
    .addHelpText("after", "\nExample:\n  hephaestus secrets prune --dry-run")
    .action(async (_options, command) =>
      finish(await (await actions()).secretsPrune(command.optsWithGlobals())),
    );
};
