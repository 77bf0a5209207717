import type { AddCommand } from "./command.js";
import { stackOptions, yesOption } from "./options.js";

export const addLock: AddCommand = (program, finish) => {
  const actions = () => import("../actions/lock.js");
  const lock = stackOptions(program.command("lock"))
    .description("show which operation works on the stack, and since when")
    .addHelpText("after", "\nExample:\n  hephaestus lock")
    .action(async (options) => finish(await (await actions()).lockShow(options)));
  stackOptions(lock.command("release"))
    .description("release the lock of an operation that ended without releasing it")
    .addOption(yesOption())
    .addHelpText(
      "after",
      "\nA lock expires 75 seconds after the last heartbeat of its holder.\n\nExample:\n  hephaestus lock release --yes",
    )
    .action(async (_options, command) =>
      finish(await (await actions()).lockRelease(command.optsWithGlobals())),
    );
};
