import { type Config, publicUrls } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { OperatorError } from "../errors.js";
import { error, type Finding, findingKinds, warning } from "../finding.js";
import { type HistoryRecord, lastDone } from "../history/records.js";
import { missingOwnImages } from "../mirror/ownImages.js";
import { failedCopies, parseRegsyncLog } from "../mirror/regsyncLog.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { hasMirror } from "../services/mirrorSources.js";
import { hasNotifications } from "../services/notifier.js";
import type { ServiceLog } from "../swarm/serviceLogs.js";
import type { Checks } from "./check.js";

const kinds = findingKinds("Maintenance", {
  "maintenance-failed": error(
    "the last maintenance failed in {part}",
    "Fix the cause, then run: hephaestus maintain",
  ),
  "backup-old": warning(
    "there is no complete backup of the last {days} days",
    "Run it at fixed times: hephaestus maintain --install",
  ),
  "mirror-failed": warning(
    "the mirror could not copy {source}",
    "See all of them with: hephaestus mirror status. Try again with: hephaestus mirror run",
  ),
  "receiver-failed": warning(
    "the receiver {receiver} does not take notifications",
    "See why with: hephaestus logs notifier",
  ),
  "log-incomplete": warning(
    "the log of {service} cannot be read as a whole",
    "See whether that node is up and answers: docker node ls",
  ),
  "own-images-missing": error(
    "{registry} lacks images of the stack, which regsync.self takes from there: {images}",
    "Copy them first: hephaestus mirror run self. Or use the original images again: hephaestus mirror self",
  ),
  "own-images-unknown": warning(
    "{registry} cannot be asked for the stack's images",
    "Nodes that have them need no registry. For a node that does not: hephaestus mirror self, render and deploy.",
  ),
});
const { found } = kinds;

/** A weekly backup is a day late when it is older. */
const BACKUP_DAYS = 8;

/**
 * The last maintenance, and the age of the newest backup if the config has one.
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
  const evidence = `${last?.note}, on ${last?.at.toISOString().slice(0, 10)}`;
  const findings = (last?.failed ?? []).map((part) => found("maintenance-failed", { part }, evidence));
  if (!hasBackup || !(age === undefined ? last !== undefined : age > BACKUP_DAYS)) return findings;
  const newest = age === undefined ? "no record has one" : `the newest one is ${age} days old`;
  return [...findings, found("backup-old", { days: BACKUP_DAYS }, newest)];
}

/** Images that the mirror could not copy within a day. */
export const judgeMirror = (lines: readonly string[]): Finding[] =>
  failedCopies(parseRegsyncLog(lines)).map(({ source, reason }) =>
    found("mirror-failed", { source }, reason),
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
    .map(([receiver, { status, time }]) => {
      const evidence = `it answered ${status} at ${time}; the registry keeps them in its memory and tries again`;
      return found("receiver-failed", { receiver }, evidence);
    });
}

/** What is found in the log of a service, and that a part of it is missing. */
export const judgeLog = (
  service: string,
  { lines, missing }: ServiceLog,
  judge: (lines: readonly string[]) => Finding[],
): Finding[] => [
  ...judge(lines.map(({ text }) => text)),
  ...missing.map((reason) => found("log-incomplete", { service }, reason)),
];

/** Whether the registry has the images that a deploy would take from it. */
async function judgeOwnImages(config: Config, signal: AbortSignal): Promise<Finding[]> {
  const { registry } = publicUrls(config);
  try {
    const missing = await missingOwnImages(config, stackRegistry({ config, signal }, undefined));
    if (missing.length === 0) return [];
    return [found("own-images-missing", { registry, images: missing.join(", ") }, "it answered 404")];
  } catch (cause) {
    if (!(cause instanceof OperatorError)) throw cause;
    return [found("own-images-unknown", { registry }, cause.message)];
  }
}

export const maintenanceChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "last maintenance and backup",
      needs: "manager",
      run: async ({ config, records, engine }) =>
        judgeMaintenance(
          await records(),
          config.maintenance.backup !== undefined,
          (await engine()).clock.there,
        ),
    },
    {
      title: "copies of the mirror",
      needs: "manager",
      applies: hasMirror,
      run: async ({ logOf }) => judgeLog("mirror", await logOf("mirror"), judgeMirror),
    },
    {
      title: "receivers of notifications",
      needs: "manager",
      applies: hasNotifications,
      run: async ({ logOf }) => judgeLog("notifier", await logOf("notifier"), judgeReceivers),
    },
    {
      title: "images of the stack in its registry",
      needs: "front door",
      preflight: true,
      applies: ({ regsync }) => regsync.self === "use",
      run: ({ config, signal }) => judgeOwnImages(config, signal),
    },
  ],
};
