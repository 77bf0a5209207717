import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { proveArchive } from "../backup/backupProof.js";
import { type Archive, openArchive } from "../backup/format/reader.js";
import { countsOf } from "../backup/format/snapshot.js";
import { restoreStack } from "../backup/restoreStack.js";
import { ExitCode, OperatorError } from "../errors.js";
import { writeFiles } from "../host/files.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { bytesText, ProgressMeter, speedText } from "../terminal/progress.js";
import type { Reporter } from "../terminal/reporter.js";
import { listed } from "../terminal/table.js";
import { credentialsFromEnvironment } from "./credentials.js";
import type { DeployFlags } from "./deploy.js";
import { readAndRender } from "./render.js";
import { openSession } from "./session.js";

export interface RestoreFlags
  extends Omit<DeployFlags, "passwordStdin" | "generatePassword" | "wait" | "verify"> {
  force?: boolean;
  readBack?: boolean;
}

/** Brings back config, users and images from a backup, or proves that it would. */
export async function restore(file: string, flags: RestoreFlags): Promise<ExitCode> {
  const archive = await openArchive(file);
  const reporter = await chooseReporter(flags);
  describeArchive(archive, reporter);
  if (flags.dryRun) return checkArchive(archive, reporter);
  await placeConfig(flags.config, archive, reporter);
  const { context, ...session } = await openSession(
    { ...flags, verify: true },
    { wait: true, resolveImage: flags.resolveImage, host: flags.host, hostSetup: flags.hostSetup },
  );
  const given = archive.htpasswd
    ? undefined
    : credentialsFromEnvironment(context.config.credentials, process.env);
  const report = await restoreStack(
    { ...context, given, inheritsUsers: archive.htpasswd !== undefined },
    { archive, force: flags.force ?? false, readBack: flags.readBack ?? false, ...session },
  );
  const { tags, images, blobs, bytes, written, seconds } = report;
  reporter.result({ restored: file, ...report }, [
    `${tags} tags, ${images} images, ${blobs} blobs, ${bytesText(bytes)} are there; wrote ${speedText(written.bytes, seconds)}`,
  ]);
  return ExitCode.ok;
}

function describeArchive({ file, snapshot, broken }: Archive, reporter: Reporter): void {
  const time = snapshot.time.toISOString().replace(/\.\d+Z$/, "Z");
  reporter.note("info", `${file} holds ${snapshot.stack} as of ${time}.`);
  if (broken) {
    reporter.note(
      "warning",
      "A later backup was interrupted. This is the last complete one. Run hephaestus backup again to resume it.",
    );
  }
  if (snapshot.damage.length > 0)
    reporter.note("warning", `The storage was already damaged then:\n    ${listed(snapshot.damage)}`);
}

/** Reads all of it, and touches nothing else. */
async function checkArchive(archive: Archive, reporter: Reporter): Promise<ExitCode> {
  const meter = new ProgressMeter(reporter);
  reporter.begin("proof", "Proof");
  const faults = await proveArchive(archive, meter);
  const { done, seconds } = meter.state();
  if (faults.length > 0) {
    reporter.end("failed", "");
    throw new OperatorError(listed(faults), {
      where: archive.file,
      remedy: "Use another copy of it, or make a new backup.",
      exitCode: ExitCode.verify,
    });
  }
  reporter.end("done", `read ${speedText(done, seconds)}`);
  const counts = countsOf(archive.snapshot);
  reporter.result({ proven: archive.file, ...counts, bytes: done, seconds }, [
    `${counts.tags} tags, ${counts.images} images, ${counts.blobs} blobs, ${bytesText(done)}: all whole`,
  ]);
  return ExitCode.ok;
}

/** Writes hephaestus.yaml and what it renders to where there is none; one that is there counts. */
async function placeConfig(config: string, archive: Archive, reporter: Reporter): Promise<void> {
  if (existsSync(config)) {
    if ((await readFile(config, "utf8")) !== archive.config)
      reporter.note("info", `${config} differs from the backup'sand is used.`);
    return;
  }
  await writeFiles(dirname(config), [{ path: basename(config), text: archive.config }]);
  const { folder, files } = await readAndRender(config, undefined);
  await writeFiles(folder, files);
  reporter.note("info", `wrote ${config} from the backup, and the files that it renders to`);
}
