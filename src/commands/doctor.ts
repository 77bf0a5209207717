import { resolve } from "node:path";
import { Option } from "@commander-js/extra-typings";
import { alertChannels } from "../alerts/alertChannels.js";
import { alertState, notify } from "../alerts/notify.js";
import type { Config } from "../config/resolve.js";
import { boundedDocker, dockerCommand } from "../docker/run.js";
import { CHECKS } from "../doctor/allChecks.js";
import { type Diagnosis, examine } from "../doctor/examine.js";
import { factsOf } from "../doctor/facts.js";
import { ExitCode } from "../errors.js";
import { severityCounts } from "../finding.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { findingLines } from "../terminal/showFindings.js";
import { type AddCommand, calendar, noVerifyOption, outputOption, stackOptions } from "./options.js";
import { passedOn, scheduledUnits, scheduleUnits, type UnitFlags, unitsFile } from "./schedule.js";
import { commandNotes, renderConfig, type SessionFlags } from "./session.js";

export const addDoctor: AddCommand = (program, finish) => {
  stackOptions(program.command("doctor"))
    .description("report everything that is wrong or soon will be, with evidence and remedy")
    .addOption(outputOption())
    .addOption(noVerifyOption())
    .option(
      "--notify",
      "send what is new and what is resolved since the last time, to the alerts of the config",
    )
    .addOption(
      new Option(
        "--schedule [calendar]",
        "print systemd units that run it with --notify at these times (default: every 15 minutes)",
      ).argParser(calendar),
    )
    .option("--install", "install these units on this machine and start the timer")
    .option(
      "--environment-file <file>",
      "with --schedule or --install: file from which the units read HEPHAESTUS_ALERT_URL",
    )
    .addHelpText(
      "after",
      "\nIt changes nothing, and it works without Docker too. It exits 1 if it finds something.\nWith --notify and a timer it watches the stack; HEPHAESTUS_ALERT_URL overrides alerts.url.\n\nExample:\n  hephaestus doctor || hephaestus logs --tail 20",
    )
    .action(async (options) => finish(await doctor(options)));
};

/** An engine that takes longer for one question does not answer. */
const DOCKER_MILLISECONDS = 30_000;

interface DoctorFlags extends SessionFlags, UnitFlags {
  /** Whether what is new is reported by the alerts of the config. */
  notify?: boolean;
  /** A file with HEPHAESTUS_ALERT_URL, for the units. */
  environmentFile?: string;
}

/** When the units run it by themselves. */
const WATCH_CALENDAR = "*:0/15";

/** Reports everything that is wrong with a stack, or soon will be. Changes nothing and takes no lock. */
async function doctor(flags: DoctorFlags): Promise<ExitCode> {
  const environmentFile = unitsFile("--environment-file", flags.environmentFile, flags);
  const { config, warnings, folder, files } = await renderConfig(flags.config, flags.output);
  if (flags.schedule !== undefined || flags.install) return scheduleWatch(flags, environmentFile, config);
  // Before anything is asked, so that a timer that cannot report is seen when it is set up.
  const channels = flags.notify ? alertChannels(config.alerts, process.env) : [];
  const reporter = await chooseReporter(flags);
  const signal = interruptionSignal();
  const docker = dockerCommand({ context: flags.context, onCommand: commandNotes(flags, reporter), signal });
  const facts = factsOf({
    config,
    warnings,
    folder,
    files,
    docker: boundedDocker(docker, DOCKER_MILLISECONDS),
    signal,
  });
  const diagnosis = await examine(CHECKS, facts, flags.verify !== false);
  reporter.result({ ...diagnosis }, asLines(diagnosis));
  if (flags.notify) {
    const state = alertState(config.stack, process.env);
    const isComplete = diagnosis.skipped.length === 0;
    const sent = await notify(config.stack, diagnosis.findings, channels, state, isComplete);
    reporter.note("info", sent);
  }
  return diagnosis.findings.length === 0 ? ExitCode.ok : ExitCode.found;
}

/**
 * Prints the units that run doctor with notify, or installs them.
 *
 * @throws OperatorError where they would have nowhere to report to: they do not get the environment of this
 * shell
 */
function scheduleWatch(
  flags: DoctorFlags,
  environmentFile: string | undefined,
  { stack, alerts }: Config,
): Promise<ExitCode> {
  if (environmentFile === undefined) alertChannels(alerts, {});
  const calendar = typeof flags.schedule === "string" ? flags.schedule : WATCH_CALENDAR;
  const { context, json, verbose } = flags;
  const output = flags.output === undefined ? undefined : resolve(flags.output);
  const words = { notify: true, quiet: !verbose, context, output, noVerify: !flags.verify, json, verbose };
  const units = scheduledUnits(flags.config, {
    stack,
    task: "doctor",
    description: "Checks",
    calendar,
    environmentFile,
    args: passedOn(words),
  });
  return scheduleUnits(units, calendar, flags.install ?? false);
}

function asLines({ findings, checked, skipped, unknown }: Diagnosis): string[] {
  const notKnown = unknown.map((line) => `not known: ${line}`);
  const left = skipped.length > 0 ? `; ${skipped.length} not checked (see --json)` : "";
  if (findings.length === 0) return [`nothing found; ${checked.length} things checked${left}`, ...notKnown];
  const counts = severityCounts(findings).join(" and ");
  return [
    ...findingLines(findings),
    "",
    `${counts} found; ${checked.length} things checked${left}`,
    ...notKnown,
  ];
}
