import { boundedDocker, dockerCommand } from "../docker/run.js";
import { CHECKS } from "../doctor/allChecks.js";
import { type Diagnosis, examine } from "../doctor/examine.js";
import { factsOf } from "../doctor/facts.js";
import { findingLines } from "../doctor/findingLines.js";
import { ExitCode } from "../errors.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { interruptionSignal } from "../terminal/interruption.js";
import { renderConfig } from "./render.js";
import { commandNotes, type SessionFlags } from "./session.js";

/** An engine that takes longer for one question does not answer. */
const DOCKER_MILLISECONDS = 30_000;

/** Reports everything that is wrong with a stack, or soon will be. Changes nothing and takes no lock. */
export async function doctor(flags: Omit<SessionFlags, "timeout" | "dryRun">): Promise<ExitCode> {
  const { config, warnings, folder, files } = await renderConfig(flags.config, flags.output);
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
  const diagnosis = await examine(CHECKS, facts, flags.verify);
  reporter.result({ ...diagnosis }, asLines(diagnosis));
  return diagnosis.findings.length === 0 ? ExitCode.ok : ExitCode.found;
}

function asLines({ findings, checked, skipped }: Diagnosis): string[] {
  const left = skipped.length > 0 ? `; ${skipped.length} not checked (see --json)` : "";
  if (findings.length === 0) return [`nothing found; ${checked.length} things checked${left}`];
  const errors = findings.filter(({ severity }) => severity === "error").length;
  const warnings = findings.length - errors;
  const counts = [plural(errors, "error"), plural(warnings, "warning")].filter(Boolean).join(" and ");
  return [
    ...findingLines(findings, process.stdout),
    "",
    `${counts} found; ${checked.length} things checked${left}`,
  ];
}

const plural = (count: number, word: string): string =>
  count === 0 ? "" : `${count} ${word}${count === 1 ? "" : "s"}`;
