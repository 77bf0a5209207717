import { ExitCode } from "../errors.js";
import { runGc } from "../maintenance/runGc.js";
import { bytesText } from "../terminal/progress.js";
import { readAndRender } from "./render.js";
import { passedOn, scheduledUnits, scheduleUnits } from "./schedule.js";
import { openSession, type SessionFlags } from "./session.js";

/** Seconds for the gc by default. */
export const GC_TIMEOUT_SECONDS = 3600;

export interface GcFlags extends Omit<SessionFlags, "output" | "verify"> {
  deleteUntagged?: boolean;
  schedule?: string;
}

/** Frees the blobs that no manifest refers to. */
export async function gc(flags: GcFlags): Promise<ExitCode> {
  if (flags.schedule !== undefined) return printSchedule(flags, flags.schedule);
  const session = await openSession({ ...flags, verify: false });
  const { deleteUntagged = false, dryRun = false } = flags;
  const collection = await runGc(session, { deleteUntagged, dryRun });
  const { blobs, bytes, untagged } = collection;
  const amount = bytes === undefined ? "" : `${bytesText(bytes)} in `;
  session.reporter.result({ ...collection, dryRun }, [
    ...untagged.map((name) => `${dryRun ? "would go" : "gone"}  ${name}`),
    `${dryRun ? "would free" : "freed"} ${amount}${blobs} ${blobs === 1 ? "blob" : "blobs"}`,
  ]);
  return ExitCode.ok;
}

/** Prints the units of systemd that run it at fixed times; does nothing else. */
async function printSchedule(flags: GcFlags, calendar: string): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  const { context, deleteUntagged, dryRun, json, quiet, verbose } = flags;
  const timeout = flags.timeout === GC_TIMEOUT_SECONDS ? undefined : flags.timeout;
  const units = scheduledUnits(flags.config, {
    stack: config.stack,
    task: "gc",
    description: "Garbage collection",
    calendar,
    args: passedOn({ context, deleteUntagged, timeout, dryRun, json, quiet, verbose }),
  });
  return scheduleUnits(units, calendar, false);
}
