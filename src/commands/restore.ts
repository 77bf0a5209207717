import { existsSync } from "node:fs";
import { basename, dirname } from "node:path";
import { countsOf } from "../backup/backupContent.js";
import { type Backup, BackupDirectory } from "../backup/backupDirectory.js";
import { proveBackup, requireComplete } from "../backup/proveBackup.js";
import { restoreStack } from "../backup/restoreStack.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readConfigText } from "../host/configFile.js";
import { writeFiles } from "../host/files.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { inStep } from "../terminal/inStep.js";
import { bytesText, ProgressMeter, speedText } from "../terminal/progress.js";
import type { Reporter } from "../terminal/reporter.js";
import { listed } from "../terminal/table.js";
import { credentialsFromEnvironment, loginFrom } from "./credentials.js";
import { type AddCommand, resolveImageOption, stackOptions, timeoutOption } from "./options.js";
import { openSession, readAndRender } from "./session.js";

export const addRestore: AddCommand = (program, finish) => {
  stackOptions(program.command("restore <directory>"))
    .description("restore config, users and images from a backup, and deploy the stack if it does not run")
    .option("--at <backup>", "restore an earlier backup of the directory (see: hephaestus backup list)")
    .option("--host <user@host>", "node that holds the storage, to be prepared over ssh")
    .option("--skip-host-setup", "do not prepare the host")
    .option("--read-back", "read everything back from the registry and check that every image is complete")
    .option(
      "--force",
      "restore into a registry that has other images: they stay, but the tags of the backup get its images",
    )
    .option("--dry-run", "check every blob and every image of the backup; change nothing, needs no Docker")
    .addOption(timeoutOption())
    .addOption(resolveImageOption())
    .addHelpText(
      "after",
      "\nAn existing hephaestus.yaml is used. If there is none, the one in the backup is written and rendered. If the stack\nhas users, they stay; a stack without images also gets the users of the backup. The images are pushed with\nREGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or by a temporary user. To resume an interrupted restore, run the same\ncommand again. If the backup or the registry is damaged, or the backup is incomplete, the exit code is 7.\n\nExample:\n  hephaestus restore /backup/registry --read-back",
    )
    .action(async (path, { skipHostSetup, resolveImage, host, ...flags }) => {
      const backup = await (await BackupDirectory.open(path)).read(flags.at);
      const reporter = await chooseReporter(flags);
      describeBackup(backup, reporter);
      if (flags.dryRun) {
        await checkBackup(backup, reporter);
        return finish(ExitCode.ok);
      }
      await placeConfig(flags.config, backup, reporter);
      const session = await openSession(flags, { wait: true, resolveImage, host, hostSetup: !skipHostSetup });
      const { credentials } = session.config;
      const report = await restoreStack(session, {
        backup,
        given: backup.htpasswd ? undefined : credentialsFromEnvironment(credentials, process.env),
        login: await loginFrom({}, credentials),
        force: flags.force ?? false,
        readBack: flags.readBack ?? false,
      });
      const { tags, images, blobs, written, seconds } = report;
      reporter.result({ restored: path, ...report }, [
        `${tags} tags, ${images} images, ${blobs} blobs are there; wrote ${speedText(written.bytes, seconds)}`,
      ]);
      finish(ExitCode.ok);
    });
};

function describeBackup({ directory, facts }: Backup, reporter: Reporter): void {
  if (!facts) {
    reporter.note("info", `${directory.path} is an OCI image layout of another program.`);
    return;
  }
  reporter.note(
    "info",
    `${directory.path} holds ${facts.stack} as of ${facts.time.replace(/\.\d+Z$/, "Z")}.`,
  );
  if (facts.damage.length > 0)
    reporter.note("warning", `It is incomplete. Left out was:\n    ${listed(facts.damage)}`);
}

/** Reads all of it, and touches nothing else. */
async function checkBackup(backup: Backup, reporter: Reporter): Promise<void> {
  const meter = new ProgressMeter(reporter);
  const prove = async () => {
    const proof = await proveBackup(backup, meter);
    if (proof.damage.length === 0) {
      requireComplete(backup);
      return { ...proof, seconds: meter.state().seconds };
    }
    throw new OperatorError(listed(proof.damage), {
      where: backup.directory.path,
      remedy: "Use another copy of it, or make a new backup.",
      exitCode: ExitCode.verify,
    });
  };
  const proof = await inStep(
    reporter,
    { id: "proof", title: "Proof" },
    prove,
    ({ bytes, seconds }) => `read ${speedText(bytes, seconds)}`,
  );
  const { bytes, seconds } = proof;
  const counts = countsOf(proof);
  reporter.result({ proven: backup.directory.path, ...counts, bytes, seconds }, [
    `${counts.tags} tags, ${counts.images} images, ${counts.blobs} blobs, ${bytesText(bytes)}: all whole`,
  ]);
}

/** Writes hephaestus.yaml and what it renders to where there is none; one that is there counts. */
async function placeConfig(path: string, { config, directory }: Backup, reporter: Reporter): Promise<void> {
  if (existsSync(path)) {
    if (config !== undefined && (await readConfigText(path)) !== config)
      reporter.note("info", `${path} differs from the one of the backup, and is used.`);
    return;
  }
  if (config === undefined) {
    throw new OperatorError("there is no such file, and the backup has none", {
      where: path,
      remedy: `Create it first: hephaestus init. Then restore ${directory.path}.`,
      exitCode: ExitCode.config,
    });
  }
  await writeFiles(dirname(path), [{ path: basename(path), text: config }]);
  const { folder, files } = await readAndRender(path);
  await writeFiles(folder, files);
  reporter.note("info", `wrote ${path} from the backup, and the files that it renders to`);
}
