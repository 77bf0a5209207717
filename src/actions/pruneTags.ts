import picomatch from "picomatch";
import { type Config, publicUrls } from "../config/resolve.js";
import { daysBetween } from "../credentials/age.js";
import { ExitCode, OperatorError } from "../errors.js";
import { planRetention, type Retention } from "../maintenance/retention.js";
import {
  type Decision,
  explainRetention,
  immutableReason,
  type PolicyRule,
  policyRule,
} from "../maintenance/retentionPolicy.js";
import { RegistryApi } from "../registry/registryApi.js";
import { RegistryClient } from "../registry/registryClient.js";
import { imagesOf } from "../registry/taggedImages.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { type LoginFlags, loginFrom } from "./login.js";
import { readAndRender } from "./render.js";

export interface PruneTagsFlags extends LoginFlags {
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

/** The rule for a repository; undefined where every tag stays. */
type RuleFor = (repository: string) => PolicyRule | undefined;

/**
 * Deletes tags by the flags, or without any by `retention` of the config, showing what goes and what stays though the
 * rule would let it go.
 */
export async function pruneTags(flags: PruneTagsFlags): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  const ruleFor = rulesOf(flags, config, new Date());
  const reporter = await chooseReporter(flags);
  const login = await loginFrom(flags, config.credentials);
  if (login === undefined) throw noPassword();
  const api = new RegistryApi(new RegistryClient(publicUrls(config).registry, login));
  const wanted = picomatch(flags.repository);
  const decisions: (Decision & { repository: string })[] = [];
  let [removed, skipped] = [0, 0];
  reporter.begin("prune", flags.dryRun ? "Tags that would go" : "Tags");
  for (const repository of (await api.repositories()).filter((name) => wanted(name))) {
    const rule = ruleFor(repository);
    if (rule === undefined) {
      if (flags.explain) reporter.note("info", `  stays  ${repository} (no rule of retention matches)`);
      continue;
    }
    reporter.progress(repository);
    const { images, unreadable } = await imagesOf(api, repository);
    if (unreadable.length > 0) {
      reporter.note(
        "warning",
        `${repository} is skipped: ${unreadable.join(", ")} cannot be read\n    See why with: hephaestus logs registry`,
      );
      skipped++;
      continue;
    }
    const plan = planRetention(images, rule);
    if (flags.explain) {
      const explained = explainRetention(images, rule, plan);
      for (const { tag, goes, reason } of explained)
        reporter.note("info", `  ${goes ? "goes " : "stays"}  ${repository}:${tag} (${reason})`);
      decisions.push(...explained.map((decision) => ({ repository, ...decision })));
    } else describePlan(repository, plan, rule.now, (line) => reporter.note("info", line));
    for (const { digest, tags } of plan.doomed) {
      if (!flags.dryRun) await api.remove(repository, digest);
      removed += tags.length;
    }
  }
  const freed = removed > 0 && !flags.dryRun ? "; run hephaestus gc to free the disk space" : "";
  reporter.end("done", `${removed} ${flags.dryRun ? "would go" : "removed"}${freed}`);
  const result = { removed, skipped, dryRun: flags.dryRun ?? false };
  reporter.result(flags.explain ? { ...result, decisions } : result, []);
  return skipped > 0 ? ExitCode.verify : ExitCode.ok;
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
  const tags = picomatch(flags.match);
  return (repository) => {
    const immutable = immutableReason(config, repository);
    const keptBecause = (tag: string) => (tags(tag) ? immutable(tag) : `does not match ${flags.match}`);
    return {
      matches: (tag) => keptBecause(tag) === undefined,
      keepLast: flags.keepLast,
      olderThanDays: flags.olderThan,
      now,
      keptBecause,
    };
  };
}

function describePlan(
  repository: string,
  { doomed, spared }: Retention,
  now: Date,
  say: (line: string) => void,
): void {
  for (const { tags, created } of doomed) {
    const age = created ? `${daysBetween(created, now)} days old` : "of unknown age";
    for (const tag of tags) say(`  goes   ${repository}:${tag} (${age})`);
  }
  for (const { tag, reason } of spared) say(`  stays  ${repository}:${tag} (${reason})`);
}

const noPassword = (): OperatorError =>
  new OperatorError("a password is needed, since only users can delete", {
    remedy: "Set REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, or use --user and --password-stdin.",
    exitCode: ExitCode.usage,
  });
