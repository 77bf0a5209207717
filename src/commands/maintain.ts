import { readFile } from "node:fs/promises";
import { Option } from "@commander-js/extra-typings";
import { BackupDirectory } from "../backup/backupDirectory.js";
import { backupLocked, describeBackup } from "../backup/backupStack.js";
import { pruneBackups } from "../backup/pruneBackups.js";
import { JOB_SECONDS } from "../config/limits.js";
import { type Config, publicUrls } from "../config/resolve.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import { recordEvent } from "../history/recordSteps.js";
import { endLeftReadOnly } from "../maintenance/lease.js";
import { pruneRepositories } from "../maintenance/pruneRepositories.js";
import { policyRule } from "../maintenance/retentionPolicy.js";
import { collectGarbage, describeGc } from "../maintenance/runGc.js";
import { unseenRepositories } from "../maintenance/unseenRepositories.js";
import { failuresOf } from "../mirror/regsyncLog.js";
import { withLock } from "../operation/stackLock.js";
import type { Session } from "../operation/stackSession.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { hasMirror } from "../services/mirrorSources.js";
import { inStep } from "../terminal/inStep.js";
import { table } from "../terminal/table.js";
import type { AddCommand } from "./command.js";
import { type LoginFlags, loginFrom } from "./login.js";
import { mirrorStep, namedSources, summaryOf } from "./mirror.js";
import { calendar, jobTimeoutOption, loginOptions, stackOptions } from "./options.js";
import { noPassword } from "./pruneTags.js";
import { passedOn, scheduledUnits, scheduleUnits, type UnitFlags, unitsFile } from "./schedule.js";
import { openSession, type SessionFlags } from "./session.js";

export const addMaintain: AddCommand = (program, finish) => {
  loginOptions(stackOptions(program.command("maintain")))
    .description("mirror, prune, gc and backup, each if it is configured: one report, one exit code")
    .addOption(jobTimeoutOption("the mirror and of the gc, each"))
    .addOption(
      new Option(
        "--schedule [calendar]",
        "print systemd units that run it at these times (default: maintenance.calendar)",
      ).argParser(calendar),
    )
    .option("--install", "install these units on this machine and start the timer")
    .option(
      "--password-file <file>",
      "with --schedule or --install: file from which the units read the password",
    )
    .addHelpText(
      "after",
      "\nThe keys mirror, retention and maintenance of the config say what is done. A part that fails does not keep the others\nfrom running; the exit code is that of the first part that failed. prune needs the password of a user who may delete.\n\nExample:\n  hephaestus maintain --schedule 'Sun 04:00'",
    )
    .action(async (options) =>
      finish(
        await maintain({
          ...options,
          tool: `hephaestus ${program.version()}`,
        }),
      ),
    );
};

interface MaintainFlags extends SessionFlags, LoginFlags, UnitFlags {
  /** What writes a backup: name and version. */
  tool: string;
  /** A file with the password, for the units. */
  passwordFile?: string;
}

/** What became of one part. */
interface Outcome {
  part: string;
  /** What it did, or why it failed or was left out. */
  said: string;
  /** Undefined where it was left out. */
  exitCode: ExitCode | undefined;
}

/** A part of the maintenance. */
interface Part {
  name: string;
  /** Why it is left out; undefined where it is configured. */
  leftOut: string | undefined;
  /** @returns what it did, and whether all of it worked */
  run: () => Promise<{ said: string; exitCode: ExitCode }>;
}

/** Mirrors, prunes, collects garbage and backs up, each if it is configured, under one lock. */
async function maintain(flags: MaintainFlags): Promise<ExitCode> {
  const passwordFile = unitsFile("--password-file", flags.passwordFile, flags);
  const session = await openSession({ ...flags, verify: false });
  const { config, reporter } = session;
  if (flags.schedule !== undefined || flags.install) return schedule(flags, passwordFile, config);
  const login = await loginFrom(flags, config.credentials);
  const outcomes: Outcome[] = [];
  const inState = (state: State) =>
    outcomes.filter((outcome) => stateOf(outcome) === state).map(({ part }) => part);
  await withLock(session, config.stack, async () => {
    // A run that was killed in its gc left a registry that refuses what follows.
    await endLeftReadOnly(session);
    for (const part of partsOf(flags, session, login)) outcomes.push(await outcomeOf(part, session));
    const [done, failed] = [inState("done"), inState("failed")];
    const notes = outcomes.filter((outcome) => stateOf(outcome) !== "left out").map(noteOf);
    await recordEvent(session, "maintain", notes.join("; "), { done, failed });
  });
  reporter.result(
    { parts: outcomes.map((outcome) => ({ ...outcome, state: stateOf(outcome) })) },
    table(
      ["PART", "STATE", ""],
      outcomes.map((outcome) => [outcome.part, stateOf(outcome), outcome.said]),
    ),
  );
  return outcomes.find((outcome) => stateOf(outcome) === "failed")?.exitCode ?? ExitCode.ok;
}

type State = "done" | "failed" | "left out";

function stateOf({ exitCode }: Outcome): State {
  if (exitCode === undefined) return "left out";
  return exitCode === ExitCode.ok ? "done" : "failed";
}

/** For people who read the history. */
const noteOf = (outcome: Outcome): string =>
  `${outcome.part}: ${stateOf(outcome) === "failed" ? "failed: " : ""}${outcome.said}`;

/** A part that fails keeps none of the others from running, but an interruption does. */
async function outcomeOf({ name, leftOut, run }: Part, { reporter, signal }: Session): Promise<Outcome> {
  if (leftOut !== undefined) return { part: name, said: leftOut, exitCode: undefined };
  try {
    return { part: name, ...(await run()) };
  } catch (error) {
    if (!(error instanceof OperatorError) || signal.aborted) throw error;
    const said = [error.where, error.message].filter(Boolean).join(": ");
    reporter.note("error", [`${name}: ${said}`, error.remedy].filter(Boolean).join("\n    "));
    return { part: name, said: said.split("\n")[0] ?? "", exitCode: error.exitCode };
  }
}

function partsOf(flags: MaintainFlags, session: Session, login: Login | undefined): Part[] {
  const { config, reporter, signal } = session;
  const { backup, gc, deleteUntagged } = config.maintenance;
  const url = publicUrls(config).registry;
  return [
    {
      name: "mirror",
      leftOut: hasMirror(config) ? undefined : "nothing is mirrored",
      async run() {
        const report = await mirrorStep(session, namedSources(config, undefined));
        const failures = failuresOf(report);
        for (const failure of failures) reporter.note("error", failure);
        return { said: summaryOf(report), exitCode: failures.length > 0 ? ExitCode.verify : ExitCode.ok };
      },
    },
    {
      name: "prune",
      leftOut: config.retention.length > 0 ? undefined : "the config has no retention",
      async run() {
        if (login === undefined) throw noPassword();
        const now = new Date();
        const rules = {
          ruleFor: (repository: string) => policyRule(config, repository, now),
          wanted: () => true,
          hidden: (seen: readonly string[]) => unseenRepositories(session, login, seen),
          dryRun: false,
          explain: false,
        };
        const { removed, skipped, unseen } = await inStep(
          reporter,
          { id: "prune", title: "Tags" },
          () => pruneRepositories(stackRegistry(session, login), reporter, rules),
          (result) => `${result.removed} removed`,
        );
        const skips = skipped > 0 ? `, ${skipped} repositories skipped` : "";
        return {
          said: `${removed} tags removed${skips}${unseen.length > 0 ? ", some repositories not seen" : ""}`,
          exitCode: skipped + unseen.length > 0 ? ExitCode.verify : ExitCode.ok,
        };
      },
    },
    {
      name: "gc",
      leftOut: gc ? undefined : "maintenance.gc is false",
      async run() {
        const collection = await collectGarbage(session, { deleteUntagged, dryRun: false });
        return { said: describeGc(collection), exitCode: ExitCode.ok };
      },
    },
    {
      name: "backup",
      leftOut: backup === undefined ? "the config has no maintenance.backup" : undefined,
      async run() {
        const { path = "", keep = 1 } = backup ?? {};
        const directory = await BackupDirectory.create(path);
        const request = { directory, url, login, tool: flags.tool, signal };
        const configText = await readFile(flags.config, "utf8");
        const report = await backupLocked(session, request, configText);
        for (const sentence of report.damage) reporter.note("error", `left out: ${sentence}`);
        const isWhole = report.damage.length === 0;
        // An incomplete backup takes the place of no complete one.
        const gone = isWhole ? (await pruneBackups(directory, keep, false)).backups.length : 0;
        return {
          said: `${describeBackup(report)}${gone > 0 ? `, ${gone} old ones removed` : ""}`,
          exitCode: isWhole ? ExitCode.ok : ExitCode.verify,
        };
      },
    },
  ];
}

/** Prints the units of systemd that run maintain, or installs them. */
function schedule(flags: MaintainFlags, input: string | undefined, config: Config): Promise<ExitCode> {
  const calendar = typeof flags.schedule === "string" ? flags.schedule : config.maintenance.calendar;
  const { context, user, json, quiet, verbose } = flags;
  const timeout = flags.timeout === JOB_SECONDS ? undefined : flags.timeout;
  const passwordStdin = input !== undefined;
  const units = scheduledUnits(flags.config, {
    stack: config.stack,
    task: "maintain",
    description: "Maintenance",
    calendar,
    input,
    args: passedOn({ context, user, passwordStdin, timeout, json, quiet, verbose }),
  });
  return scheduleUnits(units, calendar, flags.install ?? false);
}
