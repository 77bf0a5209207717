import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { matchesGlob } from "../access/glob.js";
import type { Config } from "../config/resolve.js";
import { ExitCode, OperatorError } from "../errors.js";
import { pruneRepositories, type RuleFor } from "../maintenance/pruneRepositories.js";
import {
  immutableReason,
  policyRule,
  retentionSelections,
  unseenOf,
} from "../maintenance/retentionPolicy.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { inStep } from "../terminal/inStep.js";
import { interruptionSignal } from "../terminal/interruption.js";
import type { AddCommand } from "./command.js";
import { type LoginFlags, loginFrom } from "./login.js";
import {
  configOption,
  dryRunOption,
  jsonOption,
  loginOptions,
  quietOption,
  repositoryGlob,
  tagGlob,
  wholeNumber,
} from "./options.js";
import { readAndRender } from "./render.js";

export const addPruneTags: AddCommand = (program, finish) => {
  loginOptions(program.command("prune-tags"))
    .description(
      "delete tags by age or number, or by the rules of the config; what another tag still needs is kept",
    )
    .addOption(configOption())
    .addOption(
      new Option("--keep-last <number>", "keep the newest matching tags of each repository").argParser(
        wholeNumber(0, 1_000_000),
      ),
    )
    .addOption(
      new Option(
        "--older-than <days>",
        "delete only what was built longer ago than this, such as 30d",
      ).argParser(days),
    )
    .addOption(new Option("--match <glob>", "tags that may be deleted").default("*").argParser(tagGlob))
    .addOption(
      new Option("--repository <glob>", "repositories to prune; ** matches slashes too")
        .default("**")
        .argParser(repositoryGlob),
    )
    .addOption(dryRunOption())
    .option("--explain", "list each tag with the reason why it stays or goes")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nThis needs registry.delete: true. Without --keep-last and --older-than, the rules of retention in the config decide,\nand --match is not used. Signatures, attestations and SBOMs are kept and deleted together with their image. An image\nwithout a plausible date never counts as old. If dates are equal or unknown, version numbers are compared. If the\nrules of access hide from the user something that would be pruned, it is named, and the exit code is 7.\n\nExample:\n  hephaestus prune-tags --match 'pr-*' --older-than 30d --keep-last 5 --explain --dry-run",
    )
    .action(async (options) => finish(await pruneTags(options)));
};

function days(value: string): number {
  const number = /^(\d{1,5})d?$/.exec(value)?.[1];
  if (number === undefined) throw new InvalidArgumentError("Enter a number of days, such as 30d.");
  return Number(number);
}

interface PruneTagsFlags extends LoginFlags {
  config: string;
  keepLast?: number;
  olderThan?: number;
  match: string;
  repository: string;
  dryRun?: boolean;
  /** Whether each tag is listed with the reason why it stays or goes. */
  explain?: boolean;
  json?: boolean;
  quiet?: boolean;
}

/**
 * Deletes tags by the flags, or without any by `retention` of the config, showing what goes and what stays though the
 * rule would let it go.
 */
async function pruneTags(flags: PruneTagsFlags): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  const ruleFor = rulesOf(flags, config, new Date());
  const reporter = await chooseReporter(flags);
  const login = await loginFrom(flags, config.credentials);
  if (login === undefined) throw noPassword();
  const api = stackRegistry({ config, signal: interruptionSignal() }, login);
  const hidden = (seen: readonly string[]) => unseenOf(selectionsOf(flags, config), config, login.user, seen);
  const [dryRun, explain] = [flags.dryRun ?? false, flags.explain ?? false];
  const options = {
    ruleFor,
    wanted: (name: string) => matchesGlob(flags.repository, name),
    hidden,
    dryRun,
    explain,
  };
  const { removed, skipped, unseen, decisions } = await inStep(
    reporter,
    { id: "prune", title: dryRun ? "Tags that would go" : "Tags" },
    () => pruneRepositories(api, reporter, options),
    (pruned) => {
      const freed = pruned.removed > 0 && !dryRun ? "; run hephaestus gc to free the disk space" : "";
      return `${pruned.removed} ${dryRun ? "would go" : "removed"}${freed}`;
    },
  );
  const result = { removed, skipped, unseen, dryRun };
  reporter.result(explain ? { ...result, decisions } : result, []);
  return skipped + unseen.length > 0 ? ExitCode.verify : ExitCode.ok;
}

/** What is pruned. */
function selectionsOf({ keepLast, olderThan, repository }: PruneTagsFlags, config: Config) {
  if (repository === "**" && keepLast === undefined && olderThan === undefined)
    return retentionSelections(config);
  return [{ what: `--repository ${repository}`, repositories: [repository] }];
}

/** @throws OperatorError where neither the flags nor the config have a rule: every tag would be deleted, or none */
function rulesOf(flags: PruneTagsFlags, config: Config, now: Date): RuleFor {
  if (flags.keepLast === undefined && flags.olderThan === undefined) {
    if (config.retention.length > 0) return (repository) => policyRule(config, repository, now);
    throw new OperatorError("no rule: every tag would be deleted", {
      remedy: "Use --keep-last, --older-than, or both. Or write rules into retention of the config.",
      exitCode: ExitCode.usage,
    });
  }
  return (repository) => {
    const immutable = immutableReason(config, repository);
    const keptBecause = (tag: string) =>
      matchesGlob(flags.match, tag) ? immutable(tag) : `does not match ${flags.match}`;
    return {
      matches: (tag) => keptBecause(tag) === undefined,
      keepLast: flags.keepLast,
      olderThanDays: flags.olderThan,
      now,
      keptBecause,
    };
  };
}

/** Of a command that deletes. */
export const noPassword = (): OperatorError =>
  new OperatorError("a password is needed, since only users can delete", {
    remedy: "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --user and --password-stdin.",
    exitCode: ExitCode.usage,
  });
