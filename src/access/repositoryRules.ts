import { matchesGlob } from "./glob.js";

/** Who may do something: anyone, any user, or these users and groups. */
export type Grant = "anonymous" | "authenticated" | readonly string[];

/** Name of the user that a command creates for itself if it has no password. No rule restricts it. */
export const TEMPORARY_USER = "hephaestus.temporary";

/** What a person may do with a repository. Listing its tags and its referrers is pulling. */
export const PERMISSIONS = ["pull", "push", "delete"] as const;
export type Permission = (typeof PERMISSIONS)[number];

/** A rule as `access` has it. */
export interface WrittenRule {
  repositories: readonly string[];
  pull?: Grant | undefined;
  push?: Exclude<Grant, "anonymous"> | undefined;
  delete?: Exclude<Grant, "anonymous"> | undefined;
  immutable: readonly string[];
}

/** A rule with everything decided: groups of the config are resolved to their members. */
export interface RepositoryRule extends Readonly<Record<Permission, Grant>> {
  /** Its place in `access`, from 1; 0 for what counts where no rule matches. */
  number: number;
  repositories: readonly string[];
  immutable: readonly string[];
}

/** The part of the config that decides who may do what. */
export interface AccessConfig {
  access: readonly WrittenRule[];
  groups: Readonly<Record<string, readonly string[]>>;
  registry: { pull: "anonymous" | "authenticated" };
}

/** Someone who asks. Without a user it is anyone. */
export interface Caller {
  user?: string | undefined;
  /** Groups that Authelia names. */
  groups?: readonly string[] | undefined;
}

/** What a grant gives, as a set: that of both. */
function union(a: Grant, b: Grant): Grant {
  if (a === "anonymous" || b === "anonymous") return "anonymous";
  if (a === "authenticated" || b === "authenticated") return "authenticated";
  return [...new Set([...a, ...b])];
}

/**
 * The rules in their order, and last the one for every other repository. Where a rule leaves out `pull`, that of the
 * registry counts; `push` is given to those whom `pull` names, or else to every user, and `delete` to those who may
 * push. Who may push or delete may also pull: a client asks for layers before it sends them.
 */
export function repositoryRules({ access, groups, registry }: AccessConfig): RepositoryRule[] {
  const resolved = (grant: Grant): Grant =>
    typeof grant === "string" ? grant : [...new Set(grant.flatMap((name) => groups[name] ?? [name]))];
  const rules = access.map((rule, index): RepositoryRule => {
    const pull = resolved(rule.pull ?? registry.pull);
    const push = resolved(rule.push ?? (typeof pull === "string" ? "authenticated" : pull));
    const remove = resolved(rule.delete ?? push);
    return {
      number: index + 1,
      repositories: rule.repositories,
      pull: union(pull, union(push, remove)),
      push,
      delete: remove,
      immutable: rule.immutable,
    };
  });
  const rest = { pull: registry.pull, push: "authenticated", delete: "authenticated" } as const;
  return [...rules, { number: 0, repositories: ["**"], ...rest, immutable: [] }];
}

/** The first of some rules that matches a repository. */
export const firstMatch = <T extends { repositories: readonly string[] }>(
  rules: readonly T[],
  repository: string,
): T | undefined =>
  rules.find(({ repositories }) => repositories.some((glob) => matchesGlob(glob, repository)));

/** The rule that decides about a repository: the first that matches. */
export function ruleOf(rules: readonly RepositoryRule[], repository: string): RepositoryRule {
  const found = firstMatch(rules, repository);
  if (found === undefined) throw new Error("The last rule matches every repository.");
  return found;
}

/** Whether a tag cannot be changed or deleted once it exists. */
export const isImmutable = ({ immutable }: RepositoryRule, tag: string): boolean =>
  immutable.some((glob) => matchesGlob(glob, tag));

/** Whether a grant includes a caller. */
export function includes(grant: Grant, { user, groups = [] }: Caller): boolean {
  if (grant === "anonymous") return true;
  if (user === undefined) return false;
  return grant === "authenticated" || grant.some((name) => name === user || groups.includes(name));
}

/**
 * Names in rules and groups that no user has.
 *
 * @param users names of the users
 */
export function unknownNames({ access, groups }: AccessConfig, users: readonly string[]): string[] {
  const granted = access.flatMap((rule) => PERMISSIONS.flatMap((permission) => rule[permission] ?? []));
  const named = [
    ...granted.filter((name) => name !== "authenticated" && name !== "anonymous" && !(name in groups)),
    ...Object.values(groups).flat(),
  ];
  return [...new Set(named)].filter((name) => !users.includes(name));
}

/** A grant for a person: "anyone", "every user", or the names. */
export const grantText = (grant: Grant): string =>
  grant === "anonymous" ? "anyone" : grant === "authenticated" ? "every user" : grant.join(", ") || "nobody";

/** Whether some repository may be pulled without a login. */
export const isAnyPublic = (rules: readonly RepositoryRule[]): boolean =>
  rules.some(({ pull }) => pull === "anonymous");
