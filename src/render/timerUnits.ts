import { fill } from "./fill.js";
import type { RenderedFile } from "./renderedFile.js";
import type { Templates } from "./templates.js";

export interface Schedule {
  stack: string;
  /** The command, which the units are named after. */
  task: "maintain" | "doctor";
  /** What it is, for people. */
  description: string;
  /** When it runs, as systemd.time(7) has it: "Sun 04:00". */
  calendar: string;
  /** Where it runs: the folder of hephaestus.yaml. */
  folder: string;
  /** What it runs, each word for itself; the first is an absolute path. */
  command: readonly string[];
  /** A file that it reads as its standard input, by an absolute path. */
  input?: string | undefined;
  /** A file with environment variables, by an absolute path. Source: systemd.exec(5), EnvironmentFile. */
  environmentFile?: string | undefined;
}

/** Units of systemd that run a command at fixed times: a service, and the timer that starts it. */
export function systemdUnits(schedule: Schedule, templates: Templates): RenderedFile[] {
  const name = `${schedule.stack}-${schedule.task}`;
  const values = {
    description: `${schedule.description} of the registry stack ${schedule.stack}`,
    // Many at the same time would be a load for a night; a watch is none.
    delay: schedule.task === "doctor" ? "30s" : "30m",
    findings: schedule.task === "doctor",
    environmentFile: schedule.environmentFile === undefined ? undefined : specifier(schedule.environmentFile),
    input: schedule.input === undefined ? undefined : specifier(schedule.input),
    calendar: schedule.calendar,
    folder: specifier(schedule.folder),
    command: schedule.command.map(word).join(" "),
  };
  return [
    { path: `${name}.service`, text: fill(templates.systemdService, values) },
    { path: `${name}.timer`, text: fill(templates.systemdTimer, values) },
  ];
}

/** A percent sign begins a specifier (systemd.unit(5)). */
const specifier = (text: string): string => text.replaceAll("%", "%%");

/** One word of a command line, where `$` begins a variable (systemd.service(5)). */
function word(text: string): string {
  const escaped = specifier(text).replaceAll("\\", "\\\\").replaceAll('"', '\\"').replaceAll("$", "$$$$");
  return /^[\w./:@=+,%-]+$/.test(text) ? escaped : `"${escaped}"`;
}
