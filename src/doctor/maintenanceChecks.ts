import { daysBetween } from "../credentials/dates.js";
import type { ServiceLog } from "../docker/serviceLogs.js";
import { type HistoryRecord, lastDone } from "../history/records.js";
import { failedCopies, parseRegsyncLog } from "../mirror/regsyncLog.js";
import { hasMirror } from "../services/mirrorSources.js";
import { hasNotifications } from "../services/notifier.js";
import type { Check } from "./check.js";
import { error, type Finding, warning } from "./finding.js";

/** A weekly backup is a day late when it is older. */
const BACKUP_DAYS = 8;

/**
 * The last maintenance, and the age of the newest backup where the config has one.
 *
 * @param records the oldest first
 */
export function judgeMaintenance(
  records: readonly Pick<HistoryRecord, "kind" | "at" | "note" | "done" | "failed">[],
  hasBackup: boolean,
  now: Date,
): Finding[] {
  const last = records.findLast(({ kind }) => kind === "maintain");
  const backup = lastDone(records, "backup");
  const age = backup && daysBetween(backup, now);
  return [
    ...(last?.failed ?? []).map((part) =>
      error(
        "maintenance-failed",
        `the last maintenance failed in ${part}`,
        `${last?.note}, on ${last?.at.toISOString().slice(0, 10)}`,
        "Fix the cause, then run: hephaestus maintain",
      ),
    ),
    ...(hasBackup && (age === undefined ? last !== undefined : age > BACKUP_DAYS)
      ? [
          warning(
            "backup-old",
            age === undefined
              ? "there is no complete backup yet"
              : `the newest complete backup is ${age} days old`,
            "the config has maintenance.backup, and hephaestus history shows the last backup",
            "Run it at fixed times: hephaestus maintain --install",
          ),
        ]
      : []),
  ];
}

/** Images that the mirror could not copy within a day. */
export const judgeMirror = (lines: readonly string[]): Finding[] =>
  failedCopies(parseRegsyncLog(lines)).map(({ source, reason }) =>
    warning(
      "mirror-failed",
      `the mirror could not copy ${source}`,
      reason,
      "See all of them with: hephaestus mirror status. Try again with: hephaestus mirror run",
    ),
  );

/**
 * Receivers of notifications that refused the last one.
 *
 * @param lines the log of the notifier, in its own format: templates/notifier/nginx.conf
 */
function judgeReceivers(lines: readonly string[]): Finding[] {
  const last = new Map<string, { status: string; time: string }>();
  for (const line of lines) {
    const [, receiver = "", status = "", time = ""] =
      /^receiver=(\S+) status=(\d+) time=(\S+)$/.exec(line) ?? [];
    if (receiver !== "" && (last.get(receiver)?.time ?? "") <= time) last.set(receiver, { status, time });
  }
  return [...last]
    .filter(([, { status }]) => Number(status) >= 400)
    .map(([receiver, { status, time }]) =>
      warning(
        "receiver-failed",
        `the receiver ${receiver} does not take notifications`,
        `it was answered ${status} at ${time}; the registry keeps them in its memory and tries again`,
        "See why with: hephaestus logs notifier",
      ),
    );
}

/** What is found in the log of a service, and that a part of it is missing. */
export const judgeLog = (
  service: string,
  { lines, missing }: ServiceLog,
  judge: (lines: readonly string[]) => Finding[],
): Finding[] => [
  ...judge(lines.map(({ text }) => text)),
  ...missing.map((reason) =>
    warning(
      "log-incomplete",
      `the log of ${service} cannot be read as a whole`,
      reason,
      "See whether that node is up and answers: docker node ls",
    ),
  ),
];

export const receiverCheck: Check = {
  id: "receivers",
  title: "receivers of notifications",
  theme: "Maintenance",
  needs: "manager",
  applies: hasNotifications,
  run: async ({ logOf }) => judgeLog("notifier", await logOf("notifier"), judgeReceivers),
};

export const maintenanceCheck: Check = {
  id: "maintenance",
  title: "last maintenance and backup",
  theme: "Maintenance",
  needs: "manager",
  run: async ({ config, records, engine }) =>
    judgeMaintenance(await records(), config.maintenance.backup !== undefined, (await engine()).clock.there),
};

export const mirrorCheck: Check = {
  id: "mirror",
  title: "copies of the mirror",
  theme: "Maintenance",
  needs: "manager",
  applies: hasMirror,
  run: async ({ logOf }) => judgeLog("mirror", await logOf("mirror"), judgeMirror),
};
