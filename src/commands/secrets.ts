import { daysBetween } from "../credentials/dates.js";
import { ExitCode } from "../errors.js";
import { readStackSecrets } from "../secrets/generations.js";
import { underLock } from "../secrets/secretSteps.js";
import { pruneSecrets, reportSecrets } from "../secrets/secretsReport.js";
import { table } from "../terminal/table.js";
import type { AddCommand } from "./command.js";
import { dryRunOption, stackOptions } from "./options.js";
import { openSession, type SessionFlags } from "./session.js";

export const addSecrets: AddCommand = (program, finish) => {
  const secrets = stackOptions(program.command("secrets"))
    .description("list the secrets of the stack: generation, age, the services that use them, and leftovers")
    .addHelpText("after", "\nExample:\n  hephaestus secrets")
    .action(async (options) => finish(await secretsList(options)));
  stackOptions(secrets.command("prune"))
    .description("remove secrets that no service uses and no deploy would keep")
    .addOption(dryRunOption())
    .addHelpText("after", "\nExample:\n  hephaestus secrets prune --dry-run")
    .action(async (_options, command) => finish(await secretsPrune(command.optsWithGlobals())));
};

/** Generations, ages, which service uses which, and what is left over. */
async function secretsList(flags: SessionFlags): Promise<ExitCode> {
  const session = await openSession(flags);
  const secrets = await reportSecrets(session);
  const age = (created: Date) => `${daysBetween(created, new Date())} days`;
  const rows = secrets.map(({ name, generation, created, usedBy, state }) => [
    name,
    String(generation),
    age(created),
    state,
    usedBy.join(", "),
  ]);
  session.reporter.result(
    { secrets: secrets.map((secret) => ({ ...secret, created: secret.created.toISOString() })) },
    secrets.length === 0
      ? [`${session.config.stack} has no secrets.`]
      : table(["NAME", "GENERATION", "AGE", "STATE", "USED BY"], rows),
  );
  return ExitCode.ok;
}

/** Removes what is left over; with --dry-run it only lists them. */
async function secretsPrune(flags: SessionFlags): Promise<ExitCode> {
  const session = await openSession(flags);
  const { docker, config, reporter } = session;
  if (flags.dryRun) {
    const orphans = (await reportSecrets(session)).filter(({ state }) => state === "orphan");
    const names = orphans.map(({ name }) => name);
    reporter.result(
      { orphans: names },
      names.length > 0 ? names.map((name) => `would remove ${name}`) : ["nothing left over"],
    );
    return ExitCode.ok;
  }
  const found = await readStackSecrets(docker, config.stack);
  const removed = await underLock(session, found, () => pruneSecrets(session, found));
  reporter.result(
    { removed },
    removed.length > 0 ? removed.map((name) => `removed ${name}`) : ["nothing left over"],
  );
  return ExitCode.ok;
}
