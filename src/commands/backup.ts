import { readFile } from "node:fs/promises";
import { hiddenFrom } from "../access/repositoryRules.js";
import { BackupDirectory } from "../backup/backupDirectory.js";
import { type BackupReport, backupImages, backupStack } from "../backup/backupStack.js";
import { pruneBackups } from "../backup/pruneBackups.js";
import { publicUrls } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { checkNotCommitted } from "../host/passwordFile.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { bytesText, speedText } from "../terminal/progress.js";
import { table } from "../terminal/table.js";
import { loginFrom } from "./credentials.js";
import {
  type AddCommand,
  dryRunOption,
  jsonOption,
  loginOptions,
  quietOption,
  stackOptions,
  wholeNumber,
} from "./options.js";
import { openSession } from "./session.js";

export const addBackup: AddCommand = (program, finish) => {
  const tool = `hephaestus ${program.version()}`;
  const group = loginOptions(stackOptions(program.command("backup").argument("<directory>")))
    .description("back up config, users and images to an OCI image layout while the registry runs")
    .option("--images-only", "leave out config and users; needs no Docker")
    .option("--from <url>", "back up the images of another registry, such as https://old.example.com")
    .addHelpText(
      "after",
      "\nIf the directory already holds backups, only new content is read. To resume an interrupted backup, run the same\ncommand again. If the registry is damaged, everything else is backed up and the exit code is 7. All images of the\nstack are read, whatever the rules of access say. --images-only and --from read what their login may pull; what the\nrules hide from it is named, and the exit code is 7.\n\nExample:\n  hephaestus backup /backup/registry",
    )
    .action(async (path, flags) => {
      const session = await openSession(flags);
      const { config, reporter, signal } = session;
      // It holds the hashes of passwords, and maybe private images.
      await checkNotCommitted(path);
      const configText = await readFile(flags.config, "utf8");
      const login = await loginFrom(flags, config.credentials);
      const own = publicUrls(config).registry;
      const { from: url = own } = flags;
      const isOwn = URL.canParse(url) && new URL(url).origin === new URL(own).origin;
      const directory = await BackupDirectory.create(path);
      const request = { directory, login, tool, signal };
      const unseen = (seen: readonly string[]) =>
        isOwn ? hiddenFrom(config, login?.user, seen) : listing(url, seen);
      const report =
        flags.imagesOnly || flags.from !== undefined
          ? await backupImages(request, url, reporter, flags.from ?? config.stack, unseen)
          : await backupStack(session, request, configText);
      if (!isOwn)
        reporter.note(
          "info",
          `The backup has what ${url} lists for ${login?.user ?? "anyone"}; it may have more.`,
        );
      reporter.result({ backup: path, ...report }, summary(path, report));
      finish(report.damage.length > 0 ? ExitCode.verify : ExitCode.ok);
    });
  group
    .command("list <directory>")
    .description("list the backups of a directory")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  hephaestus backup list /backup/registry")
    .action(async (path, _flags, command) => {
      const directory = await BackupDirectory.open(path);
      const reporter = await chooseReporter(command.optsWithGlobals());
      const backups = [];
      for (const name of await directory.backups())
        backups.push({ name, ...(await directory.read(name)).facts });
      const rows = backups.map(({ name, tags = 0, images = 0, bytes = 0, damage = [] }) => [
        name,
        String(tags),
        String(images),
        bytesText(bytes),
        damage.length === 0 ? "complete" : `incomplete: ${damage.length} left out`,
      ]);
      reporter.result({ backups }, table(["BACKUP", "TAGS", "IMAGES", "SIZE", "STATE"], rows));
      finish(ExitCode.ok);
    });
  group
    .command("prune <directory>")
    .description("remove old backups of a directory, and the blobs that only they need")
    .requiredOption("--keep <number>", "newest backups to keep", wholeNumber(1, 1_000_000))
    .addOption(dryRunOption())
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText("after", "\nExample:\n  hephaestus backup prune /backup/registry --keep 7")
    .action(async (path, _flags, command) => {
      const flags = command.optsWithGlobals();
      const directory = await BackupDirectory.open(path);
      const reporter = await chooseReporter(flags);
      const pruned = await pruneBackups(directory, flags.keep, flags.dryRun ?? false);
      for (const name of pruned.backups) reporter.note("info", `  goes   ${name}`);
      for (const name of pruned.kept) reporter.note("info", `  stays  ${name}`);
      const { backups, blobs, bytes } = pruned;
      reporter.result({ pruned: path, ...pruned, dryRun: flags.dryRun ?? false }, [
        `${backups.length} backups and ${blobs} blobs (${bytesText(bytes)}) ${flags.dryRun ? "would go" : "removed"}`,
      ]);
      finish(ExitCode.ok);
    });
};

/** Nothing is known of what another registry does not list. @throws OperatorError where it lists nothing */
function listing(url: string, seen: readonly string[]): string[] {
  if (seen.length > 0) return [];
  throw new OperatorError("lists no repository, so nothing was backed up", {
    where: url,
    remedy:
      "Use a login that may list its catalog. Of a registry without one, copy images by name: skopeo copy --all docker://HOST/REPOSITORY:TAG oci:DIRECTORY:REPOSITORY:TAG",
    exitCode: ExitCode.verify,
  });
}

function summary(
  path: string,
  { tags, images, blobs, bytes, read, seconds, damage }: BackupReport,
): string[] {
  return [
    `${path}: ${tags} tags, ${images} images, ${blobs} blobs, ${bytesText(bytes)}; read ${speedText(read.bytes, seconds)}`,
    damage.length > 0
      ? "The backup is incomplete: it has everything but what was left out."
      : `Check it with: hephaestus restore ${path} --dry-run`,
  ];
}
