import { daysBetween } from "../credentials/dates.js";
import { ExitCode } from "../errors.js";
import { readStackSecrets } from "../secrets/generations.js";
import { pruneSecrets, reportSecrets } from "../secrets/secretsReport.js";
import { underLock } from "../secrets/underLock.js";
import { table } from "../terminal/table.js";
import { type AddCommand, dryRunOption, stackOptions } from "./options.js";
import { openSession } from "./session.js";

export const addSecrets: AddCommand = (program, finish) => {
  const secrets = stackOptions(program.command("secrets"))
    .description("list the secrets of the stack: generation, age, the services that use them, and leftovers")
    .addHelpText("after", "\nExample:\n  hephaestus secrets")
    .action(async (flags) => {
      const session = await openSession(flags);
      const secrets = await reportSecrets(session);
      const rows = secrets.map(({ name, generation, created, usedBy, state }) => [
        name,
        String(generation),
        `${daysBetween(created, new Date())} days`,
        state,
        usedBy.join(", "),
      ]);
      session.reporter.result(
        { secrets: secrets.map((secret) => ({ ...secret, created: secret.created.toISOString() })) },
        secrets.length === 0
          ? [`${session.config.stack} has no secrets.`]
          : table(["NAME", "GENERATION", "AGE", "STATE", "USED BY"], rows),
      );
      finish(ExitCode.ok);
    });
  stackOptions(secrets.command("prune"))
    .description("remove secrets that no service uses and no deploy would keep")
    .addOption(dryRunOption())
    .addHelpText("after", "\nExample:\n  hephaestus secrets prune --dry-run")
    .action(async (_flags, command) => {
      const flags = command.optsWithGlobals();
      const session = await openSession(flags);
      const show = (key: "orphans" | "removed", what: string, names: readonly string[]) =>
        session.reporter.result(
          { [key]: names },
          names.length > 0 ? names.map((name) => `${what} ${name}`) : ["nothing left over"],
        );
      if (flags.dryRun) {
        const orphans = (await reportSecrets(session)).filter(({ state }) => state === "orphan");
        show(
          "orphans",
          "would remove",
          orphans.map(({ name }) => name),
        );
      } else {
        const found = await readStackSecrets(session.docker, session.config.stack);
        show("removed", "removed", await underLock(session, found, () => pruneSecrets(session, found)));
      }
      finish(ExitCode.ok);
    });
};
