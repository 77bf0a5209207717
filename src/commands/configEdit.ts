import { loadConfig } from "../config/load.js";
import { diffLines } from "../diff/differenceLines.js";
import { writeInPlace } from "../host/files.js";
import { unifiedDiff } from "../render/compare.js";
import { consents } from "../terminal/consent.js";
import { print } from "../terminal/output.js";

export interface ConfigEditFlags {
  config: string;
  yes?: boolean;
  dryRun?: boolean;
}

/**
 * Shows what changes in a config file, asks, and writes it.
 *
 * @returns whether it was written
 * @throws ConfigError when the new text is no valid config, OperatorError when there is nobody to ask; the
 * file is as it
 *   was then
 */
export async function applyEdit(before: string, after: string, flags: ConfigEditFlags): Promise<boolean> {
  const { config: file } = flags;
  // What cannot be loaded is not written.
  loadConfig(after, file, process.env);
  const diff = unifiedDiff(file, before, after, ["now", "then"]);
  print(diffLines(diff).join("\n"));
  if (flags.dryRun) return false;
  const isMeant =
    flags.yes ||
    (await consents({
      question: `Write these changes to ${file}?`,
      where: file,
      remedy: "Use --yes to write it, or --dry-run to see the difference.",
    }));
  if (!isMeant) return false;
  await writeInPlace(file, after);
  print(`wrote ${file}`);
  return true;
}
