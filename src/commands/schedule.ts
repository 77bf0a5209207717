import { existsSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { ExitCode, OperatorError } from "../errors.js";
import { installUnits, SYSTEMD_FOLDER } from "../host/systemd.js";
import { thisProgram } from "../host/thisProgram.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { loadTemplates } from "../render/templates.js";
import { type Schedule, systemdUnits } from "../render/timerUnits.js";
import { print, printFile } from "../terminal/output.js";

export interface ScheduledCommand
  extends Pick<Schedule, "stack" | "task" | "description" | "calendar" | "input" | "environmentFile"> {
  /** Arguments of the command, without the config. */
  args: readonly string[];
}

/**
 * Units of systemd that run this very program with a config file.
 *
 * @throws OperatorError in a container image
 */
export function scheduledUnits(configFile: string, { args, ...schedule }: ScheduledCommand): RenderedFile[] {
  const { kind, command: program } = thisProgram();
  if (kind === "container image")
    throw new OperatorError("units of systemd cannot run what is in a container image", {
      remedy: "Put the program file on the manager, and run this command with it.",
      exitCode: ExitCode.usage,
    });
  const command = [...program, schedule.task, "--config", basename(configFile), ...args];
  return systemdUnits({ ...schedule, folder: resolve(dirname(configFile)), command }, loadTemplates());
}

/** A flag as it is typed. */
export const flagOf = (name: string): string =>
  `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;

/**
 * What a person typed of these flags, as words for the command of the units. Those that are undefined or
 * false are left out.
 */
export const passedOn = (flags: Readonly<Record<string, string | number | boolean | undefined>>): string[] =>
  Object.entries(flags).flatMap(([name, value]) =>
    value === undefined || value === false ? [] : [flagOf(name), ...(value === true ? [] : [String(value)])],
  );

/** The flags of a command that make units. */
export interface UnitFlags {
  /** Print units of systemd: at these times, or at the usual ones. */
  schedule?: string | true;
  /** Put them onto this machine. */
  install?: boolean;
}

/**
 * The file of a flag that the units alone read, by an absolute path.
 *
 * @throws OperatorError where there are no units, or the file is not on the machine that gets them
 */
export function unitsFile(flag: string, file: string | undefined, flags: UnitFlags): string | undefined {
  if (file === undefined) return undefined;
  const path = resolve(file);
  if (flags.schedule === undefined && !flags.install)
    throw new OperatorError(`${flag} is for the units`, {
      remedy: "Give --schedule or --install with it, or leave it out.",
      exitCode: ExitCode.usage,
    });
  if (flags.install && !existsSync(path))
    throw new OperatorError("there is no such file", {
      where: path,
      remedy: `Write it first: the units need what ${flag} names.`,
      exitCode: ExitCode.usage,
    });
  return path;
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
