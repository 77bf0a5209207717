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
import { inStep } from "../terminal/inStep.js";
import { loginFrom, noPassword } from "./credentials.js";
import {
  type AddCommand,
  configOption,
  dryRunOption,
  jsonOption,
  loginOptions,
  quietOption,
  repositoryGlob,
  tagGlob,
  wholeNumber,
} from "./options.js";
import { openSession } from "./session.js";

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
    .action(async (flags) => {
      const session = await openSession(flags);
      const { config, reporter } = session;
      const ruleFor = rulesOf(flags, config, new Date());
      const login = await loginFrom(flags, config.credentials);
      if (login === undefined) throw noPassword("only users can delete");
      const { dryRun = false, explain = false, repository } = flags;
      const byConfig = repository === "**" && flags.keepLast === undefined && flags.olderThan === undefined;
      const selections = byConfig
        ? retentionSelections(config)
        : [{ what: `--repository ${repository}`, repositories: [repository] }];
      const options = {
        ruleFor,
        wanted: (name: string) => matchesGlob(repository, name),
        hidden: (seen: readonly string[]) => unseenOf(selections, config, login.user, seen),
        dryRun,
        explain,
      };
      const { decisions, ...counts } = await inStep(
        reporter,
        { id: "prune", title: dryRun ? "Tags that would go" : "Tags" },
        () => pruneRepositories(stackRegistry(session, login), reporter, options),
        ({ removed }) => {
          const freed = removed > 0 && !dryRun ? "; run hephaestus gc to free the disk space" : "";
          return `${removed} ${dryRun ? "would go" : "removed"}${freed}`;
        },
      );
      reporter.result({ ...counts, dryRun, ...(explain ? { decisions } : {}) }, []);
      finish(counts.skipped + counts.unseen.length > 0 ? ExitCode.verify : ExitCode.ok);
    });
};

function days(value: string): number {
  const number = /^(\d{1,5})d?$/.exec(value)?.[1];
  if (number === undefined) throw new InvalidArgumentError("Enter a number of days, such as 30d.");
  return Number(number);
}

/** The flags that make a rule. */
interface RuleFlags {
  keepLast?: number | undefined;
  olderThan?: number | undefined;
  match: string;
}

/**
 * @throws OperatorError where neither the flags nor the config have a rule: every tag would be deleted, or
 * none
 */
function rulesOf(flags: RuleFlags, config: Config, now: Date): RuleFor {
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
