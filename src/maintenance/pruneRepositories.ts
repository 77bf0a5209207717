import { firstMatch } from "../access/repositoryRules.js";
import { daysBetween } from "../credentials/dates.js";
import type { Login } from "../credentials/userLogin.js";
import type { RegistryApi } from "../registry/registryApi.js";
import { stackRegistry } from "../registry/stackRegistry.js";
import type { Session } from "../session.js";
import type { Reporter } from "../terminal/reporter.js";
import { readStackAccount } from "../users/stackAccount.js";
import { planRetention, type Retention } from "./retention.js";
import {
  type Decision,
  explainRetention,
  type PolicyRule,
  retentionSelections,
  unseenOf,
} from "./retentionPolicy.js";
import { imagesOf } from "./taggedImages.js";

/** The rule for a repository; undefined if every tag stays. */
export type RuleFor = (repository: string) => PolicyRule | undefined;

export interface PruneOptions {
  ruleFor: RuleFor;
  /** Repositories that are pruned. */
  wanted: (repository: string) => boolean;
  /**
   * What the caller does not see, as sentences.
   *
   * @param seen names of the repositories that the caller sees
   */
  hidden: (seen: readonly string[]) => string[] | Promise<string[]>;
  dryRun: boolean;
  /** Whether each tag is listed with the reason why it stays or goes. */
  explain: boolean;
}

export interface PruneResult {
  /** Tags that went, or would go. */
  removed: number;
  /** Repositories with an image that cannot be read. */
  skipped: number;
  /** What the caller does not see of what would be pruned, as sentences. */
  unseen: string[];
  /** For each tag, if they are explained. */
  decisions: (Decision & { repository: string })[];
}

/**
 * Deletes the tags that their rules let go, repository by repository.
 *
 * @throws OperatorError when the registry does not answer, or does not delete
 */
export async function pruneRepositories(
  api: RegistryApi,
  reporter: Reporter,
  { ruleFor, wanted, hidden, dryRun, explain }: PruneOptions,
): Promise<PruneResult> {
  const seen = await api.repositories();
  const result: PruneResult = { removed: 0, skipped: 0, unseen: await hidden(seen), decisions: [] };
  const say = (line: string) => reporter.note("info", line);
  for (const sentence of result.unseen) reporter.note("warning", `not seen: ${sentence}`);
  for (const repository of seen.filter(wanted)) {
    const rule = ruleFor(repository);
    if (rule === undefined) {
      if (explain) say(`  stays  ${repository} (no rule of retention matches)`);
      continue;
    }
    reporter.progress(repository);
    const { images, unreadable } = await imagesOf(api, repository);
    if (unreadable.length > 0) {
      reporter.note(
        "warning",
        `${repository} is skipped: ${unreadable.join(", ")} cannot be read\n    See why with: hephaestus logs registry`,
      );
      result.skipped++;
      continue;
    }
    const plan = planRetention(images, rule);
    if (explain) {
      const explained = explainRetention(images, rule, plan);
      for (const { tag, goes, reason } of explained)
        say(`  ${goes ? "goes " : "stays"}  ${repository}:${tag} (${reason})`);
      result.decisions.push(...explained.map((decision) => ({ repository, ...decision })));
    } else describePlan(repository, plan, rule.now, say);
    for (const { digest, tags } of plan.doomed) {
      if (!dryRun) await api.remove(repository, digest);
      result.removed += tags.length;
    }
  }
  return result;
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

/**
 * The repositories with a rule of `retention` that a user does not see: by name, if the stack's own account
 * can be asked.
 *
 * @param seen names of the repositories that the user sees
 * @returns sentences
 */
export async function unseenRepositories(
  session: Session,
  { user }: Login,
  seen: readonly string[],
): Promise<string[]> {
  const { config } = session;
  const byRules = unseenOf(retentionSelections(config), config, user, seen);
  const own = byRules.length === 0 ? undefined : await readStackAccount(session);
  if (own === undefined) return byRules;
  const names = new Set(seen);
  const all = await stackRegistry(session, own).repositories();
  return all
    .filter((name) => !names.has(name) && firstMatch(config.retention, name) !== undefined)
    .map((name) => `${name}: ${user} may not pull it`);
}
