import picomatch from "picomatch";
import { isImmutable, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { publicUrls } from "../config/resolve.js";
import { daysBetween } from "../credentials/age.js";
import { ExitCode, OperatorError } from "../errors.js";
import { planRetention, type Retention } from "../maintenance/retention.js";
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
  json?: boolean;
  quiet?: boolean;
}

/** Deletes tags by a rule, showing what goes and what stays though the rule would let it go. */
export async function pruneTags(flags: PruneTagsFlags): Promise<ExitCode> {
  if (flags.keepLast === undefined && flags.olderThan === undefined) {
    throw new OperatorError("no rule: every tag would be deleted", {
      remedy: "Use --keep-last, --older-than, or both.",
      exitCode: ExitCode.usage,
    });
  }
  const { config } = await readAndRender(flags.config, undefined);
  const reporter = await chooseReporter(flags);
  const login = await loginFrom(flags, config.credentials);
  if (login === undefined) throw noPassword();
  const api = new RegistryApi(new RegistryClient(publicUrls(config).registry, login));
  const now = new Date();
  const tags = picomatch(flags.match);
  const rules = repositoryRules(config);
  const ruleFor = (repository: string) => {
    const access = ruleOf(rules, repository);
    return {
      matches: (tag: string) => tags(tag) && !isImmutable(access, tag),
      keepLast: flags.keepLast,
      olderThanDays: flags.olderThan,
      now,
    };
  };
  const wanted = picomatch(flags.repository);
  let [removed, skipped] = [0, 0];
  reporter.begin("prune", flags.dryRun ? "Tags that would go" : "Tags");
  for (const repository of (await api.repositories()).filter((name) => wanted(name))) {
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
    const plan = planRetention(images, ruleFor(repository));
    describePlan(repository, plan, now, (line) => reporter.note("info", line));
    for (const { digest, tags } of plan.doomed) {
      if (!flags.dryRun) await api.remove(repository, digest);
      removed += tags.length;
    }
  }
  const freed = removed > 0 && !flags.dryRun ? "; run hephaestus gc to free the disk space" : "";
  reporter.end("done", `${removed} ${flags.dryRun ? "would go" : "removed"}${freed}`);
  reporter.result({ removed, skipped, dryRun: flags.dryRun ?? false }, []);
  return skipped > 0 ? ExitCode.verify : ExitCode.ok;
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
