import { setTimeout as sleep } from "node:timers/promises";
import { daysBetween } from "../credentials/dates.js";
import { interrupted } from "../docker/failures.js";
import { readStatus, type Status } from "../doctor/stackStatus.js";
import { ExitCode } from "../errors.js";
import { clearScreen, colours } from "../terminal/output.js";
import { bytesText } from "../terminal/progress.js";
import { table } from "../terminal/table.js";
import { type AddCommand, noVerifyOption, stackOptions } from "./options.js";
import { openSession } from "./session.js";

export const addStatus: AddCommand = (program, finish) => {
  stackOptions(program.command("status"))
    .description("show the state of the stack on one screen; exit 1 if something is wrong")
    .option("--watch", "refresh every 2 seconds")
    .addOption(noVerifyOption())
    .addHelpText("after", "\nExample:\n  hephaestus status --json")
    .action(async (flags) => {
      const session = await openSession({ ...flags, timeout: 60 });
      for (;;) {
        const now = await readStatus(session);
        if (flags.watch && !flags.json) clearScreen();
        session.reporter.result(asData(now), asLines(now));
        if (!flags.watch) return finish(now.healthy ? ExitCode.ok : ExitCode.unhealthy);
        await sleep(WATCH_MILLISECONDS, undefined, { signal: session.signal }).catch(() => {
          throw interrupted();
        });
      }
    });
};

const WATCH_MILLISECONDS = 2000;

function ageOf(date: Date | undefined, now: Date): string {
  if (!date) return "never";
  const days = daysBetween(date, now);
  return days === 0 ? "today" : `${days} ${days === 1 ? "day" : "days"} ago`;
}

const asData = (status: Status) => ({
  ...status,
  certificate: status.certificate?.toISOString() ?? null,
  lastBackup: status.lastBackup?.toISOString() ?? null,
  lastGc: status.lastGc?.toISOString() ?? null,
  frontDoor: status.frontDoor.map(({ title, fault }) => ({ title, fault: fault ?? null })),
});

function asLines(status: Status): string[] {
  const now = new Date();
  const lines = table(
    ["SERVICE", "TASKS", "IMAGE", ""],
    status.services.map(({ name, running, replicas, image, healthy, reason }) => [
      name,
      `${running}/${replicas}`,
      image,
      healthy ? "" : reason,
    ]),
  );
  const fact = (name: string, value: string) => lines.push(`${name.padEnd(13)}${value}`);
  lines.push("");
  fact("registry", status.registry);
  if (status.library) fact("library", status.library);
  fact("generations", `users ${status.generation ?? "none"}, machine accounts ${status.machines ?? "none"}`);
  for (const { user, changed } of status.passwords)
    fact("password", `${user}, ${daysBetween(changed, now)} days old`);
  for (const message of status.ends) fact("user", message);
  if (status.certificate) fact("certificate", `ends in ${daysBetween(now, status.certificate)} days`);
  if (status.disk)
    fact(
      "storage",
      `${bytesText(status.disk.used)} used, ${bytesText(status.disk.free)} free of ${bytesText(status.disk.size)}`,
    );
  fact("backup", ageOf(status.lastBackup, now));
  fact("gc", ageOf(status.lastGc, now));
  if (status.readOnly?.holder)
    fact("read-only", `until ${status.readOnly.until.toISOString()}, for ${status.readOnly.holder}`);
  lines.push("", status.healthy ? colours.green("healthy") : colours.red("not healthy:"));
  for (const fault of status.faults) lines.push(`  ${fault}`);
  return lines;
}
