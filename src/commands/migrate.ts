import { readDocument } from "../config/load.js";
import { MIGRATIONS, type Migration, planMigration } from "../config/migration.js";
import { CONFIG_VERSION } from "../config/schema/index.js";
import { ExitCode } from "../errors.js";
import { applyEdit, type ConfigEditFlags, readForEdit } from "./configEdit.js";

/** Brings a config file of an older format to the current one. */
export async function migrate(
  flags: ConfigEditFlags,
  migrations: readonly Migration[] = MIGRATIONS,
): Promise<ExitCode> {
  const source = await readForEdit(flags);
  readDocument(source, flags.config);
  const { steps, text } = planMigration(source, flags.config, migrations);
  if (steps.length === 0) {
    process.stdout.write(`${flags.config} is of version ${CONFIG_VERSION}, the current one\n`);
    return ExitCode.ok;
  }
  for (const { from, to, title } of steps) process.stdout.write(`version ${from} -> ${to}: ${title}\n`);
  process.stdout.write("\n");
  if (await applyEdit(source, text, flags)) {
    process.stdout.write("Next: hephaestus render --diff\n");
  }
  return ExitCode.ok;
}
