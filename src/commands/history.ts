import { rollBack } from "../deploy/rollBackStack.js";
import { ExitCode } from "../errors.js";
import { type HistoryRecord, readRecords } from "../history/records.js";
import { table } from "../terminal/table.js";
import { type AddCommand, rolloutOptions, stackOptions, wholeNumber } from "./options.js";
import { openSession } from "./session.js";

export const addHistory: AddCommand = (program, finish) => {
  stackOptions(program.command("history"))
    .description(
      "list the deploys, rotations and other operations: who, when, config, images and generations",
    )
    .addHelpText(
      "after",
      "\nThe Swarm keeps the records of the last 20 deploys.\n\nExample:\n  hephaestus history",
    )
    .action(async (flags) => {
      const { config, docker, reporter } = await openSession(flags);
      const records = await readRecords(docker, config.stack);
      const head = ["NUMBER", "WHEN (UTC)", "WHAT", "WHO", "CONFIG", "USERS", ""];
      reporter.result(
        { records: records.map(asData) },
        records.length === 0 ? ["no records yet"] : table(head, records.map(row)),
      );
      finish(ExitCode.ok);
    });
};

export const addRollback: AddCommand = (program, finish) => {
  rolloutOptions(stackOptions(program.command("rollback")))
    .argument(
      "[number]",
      "number of the record (default: the newest one that differs from the running stack)",
      wholeNumber(1, 1e9),
    )
    .description("roll the stack back to a record: its files, and its images by digest")
    .addHelpText(
      "after",
      "\nThe users and their passwords are not rolled back.\n\nExample:\n  hephaestus rollback --dry-run",
    )
    .action(async (number, flags) => {
      const session = await openSession(flags);
      const record = await rollBack(session, number);
      if (!flags.dryRun)
        session.reporter.result({ rolledBackTo: record.number }, [
          `Record ${record.number} of ${record.at.toISOString()} runs again.`,
          `${flags.config} is unchanged, and the next deploy follows it. Edit it, or check out an older version from git.`,
        ]);
      finish(ExitCode.ok);
    });
};

const asData = ({ archive: _, generations, ...record }: HistoryRecord) => ({
  ...record,
  generations: generations && { people: generations.users, machines: generations.machines },
});

function row({ number, at, kind, by, config, generations, images, note }: HistoryRecord): string[] {
  const versions = Object.entries(images ?? {}).map(([service, image]) => `${service} ${versionOf(image)}`);
  return [
    String(number),
    at.toISOString().slice(0, 16).replace("T", " "),
    kind,
    by,
    config?.slice(0, 12) ?? "",
    generations ? String(generations.users) : "",
    [note, versions.join(", ")].filter(Boolean).join("; "),
  ];
}

/** The tag of an image, or the begin of its digest. */
const versionOf = (image: string): string =>
  /:([\w][\w.-]*)(?:@|$)/.exec(image.replace(/^.*\//, ""))?.[1] ??
  image.replace(/^.*@sha256:(.{12}).*$/, "$1");
