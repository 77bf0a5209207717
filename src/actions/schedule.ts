import { realpathSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { ExitCode } from "../errors.js";
import { installUnits, SYSTEMD_FOLDER } from "../host/systemd.js";
import type { RenderedFile } from "../render/renderedFiles.js";
import { loadTemplates } from "../render/templates.js";
import { type Schedule, systemdUnits } from "../render/timerUnits.js";
import { print, printFile } from "../terminal/output.js";

export interface ScheduledCommand
  extends Pick<Schedule, "stack" | "task" | "description" | "calendar" | "input" | "environmentFile"> {
  /** Arguments of the command, without the config. */
  args: readonly string[];
}

/** Units of systemd that run this very program with a config file. */
export function scheduledUnits(configFile: string, { args, ...schedule }: ScheduledCommand): RenderedFile[] {
  const program = realpathSync(process.argv[1] ?? "");
  const command = [process.execPath, program, schedule.task, "--config", basename(configFile), ...args];
  return systemdUnits({ ...schedule, folder: resolve(dirname(configFile)), command }, loadTemplates());
}

/** Puts units onto this machine, or prints them. */
export async function scheduleUnits(
  units: readonly RenderedFile[],
  calendar: string,
  install: boolean,
): Promise<ExitCode> {
  if (!install) {
    printUnits(units);
    return ExitCode.ok;
  }
  await installUnits(units);
  print(`installed ${units.map(({ path }) => path).join(", ")}: ${calendar}`);
  return ExitCode.ok;
}

/** Prints units with the way to switch them on. */
function printUnits(units: readonly RenderedFile[]): void {
  for (const { path, text } of units) printFile(`# ${SYSTEMD_FOLDER}/${path}\n${text}\n`);
  const timer = units.find(({ path }) => path.endsWith(".timer"))?.path;
  print(`# Then: systemctl daemon-reload && systemctl enable --now ${timer}`);
}
