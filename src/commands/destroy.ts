import { storagePlace } from "../config/resolve.js";
import { destroyStack } from "../deploy/destroyStack.js";
import { ExitCode } from "../errors.js";
import { consents } from "../terminal/consent.js";
import { type AddCommand, stackOptions, timeoutOption, yesOption } from "./options.js";
import { openSession } from "./session.js";

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
    .action(async ({ data = false, yes, ...flags }) => {
      const session = await openSession(flags);
      const { config, reporter } = session;
      const { stack } = config;
      const place = storagePlace(config);
      if (!yes)
        await consents({
          question: `This removes ${stack} with its users${data ? ` and every image in ${place}` : ""}. Type its name to continue`,
          // What cannot be undone is asked for by the stack's name.
          typed: stack,
          where: stack,
          remedy: "Use --yes in scripts.",
        });
      await destroyStack(session, data);
      reporter.result({ destroyed: stack, data: data ? "removed" : place }, [
        data ? `${stack} and its images are gone.` : `${stack} is gone; its images stay in ${place}.`,
      ]);
      finish(ExitCode.ok);
    });
};
