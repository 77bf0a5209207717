import { type Document, parseDocument } from "yaml";
import { ExitCode, OperatorError } from "../errors.js";
import { CONFIG_VERSION } from "./schema/index.js";
import { quote } from "./text.js";

/** A step from one version of the config format to the next. */
export interface Migration {
  from: number;
  to: number;
  /** What changes, in a few words. */
  title: string;
  /** Changes the document in place; its comments go along with what they stand at. */
  apply(document: Document): void;
}

/** In order. Version 1 is the first one, so there are none yet. */
export const MIGRATIONS: readonly Migration[] = [];

export interface MigrationPlan {
  /** The steps from the file's version to this program's; none where it is current. */
  steps: Migration[];
  text: string;
}

/**
 * A config of an older version in the current one. Pure; what comes out is not judged here.
 *
 * @param file name to show in errors
 * @throws OperatorError for a version that is newer, or that no step leads on from
 */
export function planMigration(
  source: string,
  file: string,
  migrations: readonly Migration[] = MIGRATIONS,
  current: number = CONFIG_VERSION,
): MigrationPlan {
  const document = parseDocument(source, { logLevel: "error" });
  const written: unknown = document.get("version") ?? current;
  const steps: Migration[] = [];
  let version = written;
  while (version !== current) {
    const step = migrations.find(({ from }) => from === version);
    if (step === undefined) throw unknownVersion(written, file, current);
    step.apply(document);
    document.set("version", step.to);
    steps.push(step);
    version = step.to;
  }
  return { steps, text: steps.length === 0 ? source : document.toString({ lineWidth: 0 }) };
}

/** Whether a version is one that `migrate` can bring to the current one. */
export const isOlderVersion = (version: unknown, migrations: readonly Migration[] = MIGRATIONS): boolean =>
  migrations.some(({ from }) => from === version);

function unknownVersion(version: unknown, file: string, current: number): OperatorError {
  const isNewer = typeof version === "number" && version > current;
  return new OperatorError(
    isNewer
      ? `version ${version} of the config format is newer than this hephaestus`
      : `there is no version ${quote(version)} of the config format`,
    {
      where: file,
      remedy: isNewer ? "Install a newer hephaestus." : `Write version: ${current}.`,
      exitCode: ExitCode.config,
    },
  );
}
