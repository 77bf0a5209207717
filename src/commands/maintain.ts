import { readFile } from "node:fs/promises";
import { Option } from "@commander-js/extra-typings";
import { BackupDirectory } from "../backup/backupDirectory.js";
import { backupLocked, describeBackup } from "../backup/backupStack.js";
import { pruneBackups } from "../backup/pruneBackups.js";
import { JOB_SECONDS } from "../config/limits.js";
import type { Config } from "../config/resolve.js";
import type { Login } from "../credentials/userLogin.js";
import { ExitCode, OperatorError } from "../errors.js";
import { recordEvent } from "../history/recordSteps.js";
import { endLeftReadOnly } from "../maintenance/lease.js";
import { pruneRepositories, unseenRepositories } from "../maintenance/pruneRepositories.js";
import { policyRule } from "../maintenance/retentionPolicy.js";
import { collectGarbage, describeGc } from "../maintenance/runGc.js";
import { failuresOf } from "../mirror/regsyncLog.js";
import { mirrorStep, namedSources, summaryOf } from "../mirror/runMirror.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { hasMirror } from "../services/mirrorSources.js";
import type { Session } from "../session.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { inStep } from "../terminal/inStep.js";
import { table } from "../terminal/table.js";
import { type LoginFlags, loginFrom, noPassword } from "./credentials.js";
import { type AddCommand, calendar, jobTimeoutOption, loginOptions, stackOptions } from "./options.js";
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
    .action(async (flags) => {
      const passwordFile = unitsFile("--password-file", flags.passwordFile, flags);
      const session = await openSession(flags);
      const { config, reporter } = session;
      if (flags.schedule !== undefined || flags.install)
        return finish(await schedule(flags, passwordFile, config));
      const login = await loginFrom(flags, config.credentials);
      const writer = { configFile: flags.config, tool: `hephaestus ${program.version()}` };
      const outcomes = await withLock(session, config.stack, async () => {
        // A run that was killed in its gc left a registry that refuses what follows.
        await endLeftReadOnly(session);
        const ended: Outcome[] = [];
        for (const part of partsOf(session, login, writer)) ended.push(await outcomeOf(part, session));
        await record(session, ended);
        return ended;
      });
      reporter.result(
        { parts: outcomes },
        table(
          ["PART", "STATE", ""],
          outcomes.map(({ part, state, said }) => [part, state, said]),
        ),
      );
      finish(outcomes.find(({ state }) => state === "failed")?.exitCode ?? ExitCode.ok);
    });
};

/** What a part did, and whether all of it worked. */
interface Work {
  said: string;
  exitCode: ExitCode;
}

/** A part of the maintenance. */
interface Part {
  name: string;
  /** Why it is left out; undefined where it is configured. */
  leftOut: string | undefined;
  run: () => Promise<Work>;
}

/** What became of a part. */
interface Outcome {
  part: string;
  state: "done" | "failed" | "left out";
  /** What it did, or why it failed or was left out. */
  said: string;
  /** Undefined where it was left out. */
  exitCode?: ExitCode;
}

/** A part that fails keeps none of the others from running, but an interruption does. */
async function outcomeOf({ name, leftOut, run }: Part, { reporter, signal }: Session): Promise<Outcome> {
  if (leftOut !== undefined) return { part: name, state: "left out", said: leftOut };
  try {
    const work = await run();
    return { part: name, state: work.exitCode === ExitCode.ok ? "done" : "failed", ...work };
  } catch (error) {
    if (!(error instanceof OperatorError) || signal.aborted) throw error;
    const said = [error.where, error.message].filter(Boolean).join(": ");
    reporter.note("error", [`${name}: ${said}`, error.remedy].filter(Boolean).join("\n    "));
    return { part: name, state: "failed", said: said.split("\n")[0] ?? "", exitCode: error.exitCode };
  }
}

/** Notes in the history what was done and what failed, for status and doctor, and for people. */
function record(session: Session, outcomes: readonly Outcome[]): Promise<void> {
  const inState = (wanted: Outcome["state"]) =>
    outcomes.filter(({ state }) => state === wanted).map(({ part }) => part);
  const notes = outcomes
    .filter(({ state }) => state !== "left out")
    .map(({ part, state, said }) => `${part}: ${state === "failed" ? "failed: " : ""}${said}`);
  const parts = { done: inState("done"), failed: inState("failed") };
  return recordEvent(session, "maintain", notes.join("; "), parts);
}

/** Whose config is backed up, and what writes the backup: name and version. */
interface Writer {
  configFile: string;
  tool: string;
}

function partsOf(session: Session, login: Login | undefined, writer: Writer): Part[] {
  const { config } = session;
  const { backup, gc, deleteUntagged } = config.maintenance;
  return [
    {
      name: "mirror",
      leftOut: hasMirror(config) ? undefined : "nothing is mirrored",
      run: () => mirror(session),
    },
    {
      name: "prune",
      leftOut: config.retention.length > 0 ? undefined : "the config has no retention",
      run: () => prune(session, login),
    },
    {
      name: "gc",
      leftOut: gc ? undefined : "maintenance.gc is false",
      run: async () => ({
        said: describeGc(await collectGarbage(session, { deleteUntagged, dryRun: false })),
        exitCode: ExitCode.ok,
      }),
    },
    {
      name: "backup",
      leftOut: backup === undefined ? "the config has no maintenance.backup" : undefined,
      run: () => backUp(session, login, writer, backup),
    },
  ];
}

async function mirror(session: Session): Promise<Work> {
  const report = await mirrorStep(session, namedSources(session.config, undefined));
  const failures = failuresOf(report);
  for (const failure of failures) session.reporter.note("error", failure);
  return { said: summaryOf(report), exitCode: failures.length > 0 ? ExitCode.verify : ExitCode.ok };
}

async function prune(session: Session, login: Login | undefined): Promise<Work> {
  if (login === undefined) throw noPassword("only users can delete");
  const { config, reporter } = session;
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
}

async function backUp(
  session: Session,
  login: Login | undefined,
  { configFile, tool }: Writer,
  { path = "", keep = 1 }: Partial<NonNullable<Config["maintenance"]["backup"]>> = {},
): Promise<Work> {
  const directory = await BackupDirectory.create(path);
  const request = { directory, login, tool, signal: session.signal };
  const report = await backupLocked(session, request, await readFile(configFile, "utf8"));
  const isWhole = report.damage.length === 0;
  // An incomplete backup takes the place of no complete one.
  const gone = isWhole ? (await pruneBackups(directory, keep, false)).backups.length : 0;
  return {
    said: `${describeBackup(report)}${gone > 0 ? `, ${gone} old ones removed` : ""}`,
    exitCode: isWhole ? ExitCode.ok : ExitCode.verify,
  };
}

/** The flags of maintain that make its units. */
interface ScheduleFlags extends SessionFlags, LoginFlags, UnitFlags {}

/** Prints the units of systemd that run maintain, or installs them. */
function schedule(flags: ScheduleFlags, input: string | undefined, config: Config): Promise<ExitCode> {
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
