import { storagePlace } from "../config/resolve.js";
import { destroyStack } from "../deploy/destroyStack.js";
import { ExitCode } from "../errors.js";
import { requireTerminal } from "../terminal/chooseReporter.js";
import type { AddCommand } from "./command.js";
import { stackOptions, timeoutOption, yesOption } from "./options.js";
import { openSession, type SessionFlags } from "./session.js";

export const addDestroy: AddCommand = (program, finish) => {
  stackOptions(program.command("destroy"))
    .description("remove the stack, its secrets and its configs; the images stay")
    .option("--data", "remove the images too")
    .addOption(yesOption())
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      "\nNothing else in the Swarm is changed. Without --yes you have to type the name of the stack.\n\nExample:\n  hephaestus destroy --yes",
    )
    .action(async (options) => finish(await destroy(options)));
};

interface DestroyFlags extends SessionFlags {
  data?: boolean;
  yes?: boolean;
}

/** Removes the stack, its secrets and configs; with --data what it stored, too. */
async function destroy(flags: DestroyFlags): Promise<ExitCode> {
  const session = await openSession({ ...flags, verify: false });
  const { config, reporter } = session;
  const withData = flags.data ?? false;
  const place = storagePlace(config);
  if (!flags.yes) await confirm(config.stack, withData ? place : undefined);
  await destroyStack(session, withData);
  reporter.result({ destroyed: config.stack, data: withData ? "removed" : place }, [
    withData
      ? `${config.stack} and its images are gone.`
      : `${config.stack} is gone; its images stay in ${place}.`,
  ]);
  return ExitCode.ok;
}

/** What cannot be undone is asked for by the stack's name. */
async function confirm(stack: string, place: string | undefined): Promise<void> {
  requireTerminal(stack, "Use --yes in scripts.");
  const { askText } = await import("../terminal/prompts.js");
  const what = place === undefined ? "its users" : `its users and every image in ${place}`;
  await askText({
    message: `This removes ${stack} with ${what}. Type its name to continue`,
    fault: (answer) => (answer === stack ? undefined : `Type ${stack}, or press Ctrl-C.`),
  });
}
