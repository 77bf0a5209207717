import { matchesGlob } from "../access/glob.js";
import { firstMatch, hiddenFrom, isImmutable, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import type { Config } from "../config/resolve.js";
import { daysBetween } from "../credentials/dates.js";
import { newest, type Retention, type Rule } from "./retention.js";
import type { TaggedImage } from "./taggedImages.js";

/** Which tags of each repository may go, as `retention` and `access` have it. Pure. */

type Policy = Pick<Config, "retention" | "access" | "groups"> & {
  registry: Pick<Config["registry"], "pull">;
};

/** A rule of the config with the words for its reasons. */
export interface PolicyRule extends Rule {
  /** Why a tag stays at any age; undefined if it may go. */
  keptBecause(tag: string): string | undefined;
}

/** Why a tag of an immutable pattern stays, for a repository. */
export function immutableReason(config: Policy, repository: string): (tag: string) => string | undefined {
  const rule = ruleOf(repositoryRules(config), repository);
  return (tag) => (isImmutable(rule, tag) ? `is immutable by rule ${rule.number} of access` : undefined);
}

/**
 * The rule for a repository: the first of `retention` that matches. The conditions of `keep` are joined by
 * "or": the newest `last` of the tags that `tags` does not keep, those that were built `within` that many
 * days, and those that `tags` matches. An image without a date counts as within.
 *
 * @returns undefined if no rule matches: every tag stays
 */
export function policyRule(config: Policy, repository: string, now: Date): PolicyRule | undefined {
  const found = firstMatch(config.retention, repository);
  if (found === undefined) return undefined;
  const { last, within, tags = [] } = found.keep;
  const immutable = immutableReason(config, repository);
  const keptBecause = (tag: string): string | undefined => {
    const glob = tags.find((one) => matchesGlob(one, tag));
    return immutable(tag) ?? (glob === undefined ? undefined : `matches ${glob}`);
  };
  return {
    matches: (tag) => keptBecause(tag) === undefined,
    keepLast: last,
    olderThanDays: within === undefined ? undefined : Number(within.slice(0, -1)),
    now,
    keptBecause,
  };
}

/** What becomes of a tag, and why. */
export interface Decision {
  tag: string;
  goes: boolean;
  reason: string;
}

/** Why each tag of a repository stays or goes, in the order of the tags. */
export function explainRetention(
  images: readonly TaggedImage[],
  rule: PolicyRule,
  { doomed, spared }: Retention,
): Decision[] {
  const going = new Set(doomed.flatMap(({ tags }) => tags));
  const held = new Map(spared.map(({ tag, reason }) => [tag, reason]));
  const matching = images.filter(({ tag, subject }) => subject === undefined && rule.matches(tag));
  const recent = newest(matching, rule.keepLast ?? 0);
  const age = ({ created }: TaggedImage) =>
    created === undefined ? "has no date" : `is ${daysBetween(created, rule.now)} days old`;
  return images.map((image): Decision => {
    const { tag, subject } = image;
    if (going.has(tag))
      return {
        tag,
        goes: true,
        reason: subject === undefined ? age(image) : "belongs to an image that goes",
      };
    const reason =
      held.get(tag) ??
      (subject === undefined ? rule.keptBecause(tag) : "belongs to an image that stays") ??
      (recent.has(tag) ? `is one of the newest ${rule.keepLast}, or may be` : age(image));
    return { tag, goes: false, reason };
  });
}

/** What says which repositories are pruned: a rule of `retention`, or a flag. */
interface Selection {
  /** Its name, for people. */
  what: string;
  repositories: readonly string[];
}

/** The rules of `retention` as selections. */
export const retentionSelections = ({ retention }: Pick<Policy, "retention">): Selection[] =>
  retention.map(({ repositories }, index) => ({ what: `rule ${index + 1} of retention`, repositories }));

/**
 * What of some selections a caller may not see, as sentences: what nobody looks at is not pruned.
 *
 * @param user undefined is who has no login
 * @param seen names of the repositories that the caller sees
 */
export function unseenOf(
  selections: readonly Selection[],
  config: Policy,
  user: string | undefined,
  seen: readonly string[],
): string[] {
  const sentences = selections.flatMap(({ what, repositories }) => {
    const hidden = hiddenFrom(config, user, seen, repositories);
    const matches = seen.some((name) => repositories.some((glob) => matchesGlob(glob, name)));
    return matches
      ? hidden
      : hidden.map((sentence) => `${what} matches nothing that you can see; ${sentence}`);
  });
  return [...new Set(sentences)];
}
