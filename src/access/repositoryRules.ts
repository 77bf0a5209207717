import { intersect, isCovered, matchesGlob, matchesSegment, stands } from "./glob.js";

/** Who may do something: anyone, any user, or these users and groups. */
export type Grant = "anonymous" | "authenticated" | readonly string[];

/**
 * How a rule says what a name is, where it could be both. A grant keeps the prefix of a group that Authelia
 * has.
 */
const USER = "user:";
const GROUP = "group:";

/** Name of the user that a command creates for itself if it has no password. No rule restricts it. */
export const TEMPORARY_USER = "hephaestus.temporary";

/** What a person may do with a repository. Listing its tags and its referrers is pulling. */
export const PERMISSIONS = ["pull", "push", "delete"] as const;
type Permission = (typeof PERMISSIONS)[number];

/** A rule as `access` has it. */
export interface WrittenRule {
  repositories: readonly string[];
  pull?: Grant | undefined;
  push?: Exclude<Grant, "anonymous"> | undefined;
  delete?: Exclude<Grant, "anonymous"> | undefined;
  immutable: readonly string[];
}

/**
 * A rule with everything decided: a name without a prefix is a user's, and groups of the config are resolved
 * to their members.
 */
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

/** Whether the config has rules of its own. */
export const hasRules = ({ access }: Pick<AccessConfig, "access">): boolean => access.length > 0;

/** Someone who asks. Without a user it is anyone. */
export interface Caller {
  user?: string | undefined;
  /** Groups that Authelia names, without a prefix. */
  groups?: readonly string[] | undefined;
}

/**
 * Whom a name in a rule stands for: the members of a group of the config, a user, or, with its prefix, a
 * group that Authelia has. A user and a group of one name have nothing in common.
 */
export function namedBy(name: string, groups: AccessConfig["groups"]): readonly string[] {
  if (name.startsWith(USER)) return [name.slice(USER.length)];
  const group = name.startsWith(GROUP) ? name.slice(GROUP.length) : name;
  return (Object.hasOwn(groups, group) ? groups[group] : undefined) ?? [name];
}

/** What a grant gives, as a set: that of both. */
function union(a: Grant, b: Grant): Grant {
  if (a === "anonymous" || b === "anonymous") return "anonymous";
  if (a === "authenticated" || b === "authenticated") return "authenticated";
  return [...new Set([...a, ...b])];
}

/**
 * The rules in their order, and last the one for every other repository. Where a rule leaves out `pull`, that
 * of the registry counts; `push` is given to those whom `pull` names, or else to every user, and `delete` to
 * those who may push. Who may push or delete may also pull: a client asks for layers before it sends them.
 */
export function repositoryRules({ access, groups, registry }: AccessConfig): RepositoryRule[] {
  // Once: the user that user:team names is no group.
  const resolved = (grant: Grant): Grant =>
    typeof grant === "string" ? grant : [...new Set(grant.flatMap((name) => namedBy(name, groups)))];
  const rules = access.map((rule, index): RepositoryRule => {
    const pull = resolved(rule.pull ?? registry.pull);
    const push = rule.push ? resolved(rule.push) : typeof pull === "string" ? "authenticated" : pull;
    const remove = rule.delete ? resolved(rule.delete) : push;
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

/**
 * Finds the first of some rules that matches a repository. Made once for any number of names, it asks only
 * those rules about a name that begin as it does.
 */
function finder<T extends { repositories: readonly string[] }>(
  rules: readonly T[],
): (repository: string) => T | undefined {
  const globs = rules.flatMap((rule) =>
    rule.repositories.map((glob) => {
      const segments = glob.split("/");
      const first = segments[0] ?? "";
      return { rule, segments, first, isOpen: first.includes("*") };
    }),
  );
  const firsts = new Set(globs.filter(({ isOpen }) => !isOpen).map(({ first }) => first));
  const beginning = new Map(
    [...firsts].map((name) => [name, globs.filter(({ first, isOpen }) => isOpen || first === name)]),
  );
  const open = globs.filter(({ isOpen }) => isOpen);
  return (repository) => {
    const names = repository.split("/");
    const candidates = beginning.get(names[0] ?? "") ?? open;
    return candidates.find(({ segments }) => stands(segments, names, "**", matchesSegment))?.rule;
  };
}

/** The first of some rules that matches a repository. */
export const firstMatch = <T extends { repositories: readonly string[] }>(
  rules: readonly T[],
  repository: string,
): T | undefined => finder(rules)(repository);

/** The rule that decides about a repository: the first that matches. */
export const ruleOf = (rules: readonly RepositoryRule[], repository: string): RepositoryRule =>
  deciding(finder(rules)(repository));

function deciding(found: RepositoryRule | undefined): RepositoryRule {
  if (found === undefined) throw new Error("The last rule matches every repository.");
  return found;
}

/** What someone may do in a repository, and the rule that says so. */
type Rights = Readonly<Record<Permission, boolean>> & { rule: RepositoryRule };
export type RightsOf = (caller: Caller, repository: string) => Rights;

/**
 * The one decision of who may do what: the gateway's, and that of `hephaestus access`. Made once for any
 * number of questions.
 */
export function rightsBy(rules: readonly RepositoryRule[]): RightsOf {
  const find = finder(rules);
  return (caller, repository) => {
    const rule = deciding(find(repository));
    const may = (permission: Permission) => includes(rule[permission], caller);
    return { rule, pull: may("pull"), push: may("push"), delete: may("delete") };
  };
}

/** Whether a tag cannot be changed or deleted once it exists. */
export const isImmutable = ({ immutable }: RepositoryRule, tag: string): boolean =>
  immutable.some((glob) => matchesGlob(glob, tag));

/** Whether a grant includes a caller. */
export function includes(grant: Grant, { user, groups = [] }: Caller): boolean {
  if (grant === "anonymous") return true;
  if (user === undefined) return false;
  return (
    grant === "authenticated" || grant.includes(user) || groups.some((name) => grant.includes(GROUP + name))
  );
}

/**
 * Names in rules and groups that no user has.
 *
 * @param users names of the users
 */
export function unknownNames({ access, groups }: AccessConfig, users: readonly string[]): string[] {
  const granted = access.flatMap((rule) =>
    PERMISSIONS.flatMap((permission) => {
      const grant = rule[permission] ?? [];
      return typeof grant === "string" ? [] : grant.flatMap((name) => namedBy(name, groups));
    }),
  );
  const named = new Set([...granted, ...Object.values(groups).flat()]);
  return [...named].filter((name) => !name.startsWith(GROUP) && !users.includes(name));
}

/**
 * What a user may not see among the repositories of some globs, by the rules: one sentence for each rule. A
 * rule by which the user sees a repository hides none, whatever groups the user is in.
 *
 * @param user undefined is who has no login
 * @param seen names of the repositories that the user sees
 */
export function hiddenFrom(
  config: AccessConfig,
  user: string | undefined,
  seen: readonly string[],
  wanted: readonly string[] = ["**"],
): string[] {
  const rules = repositoryRules(config);
  const find = finder(rules);
  const seenBy = new Set(seen.map((repository) => find(repository)?.number));
  const decides = (place: number, glob: string): boolean =>
    rules[place]?.repositories.some((own) => intersect(own, glob)) === true &&
    !isCovered(
      glob,
      rules.slice(0, place).flatMap(({ repositories }) => repositories),
    );
  const hiding = rules.filter(
    ({ pull, number }, place) =>
      !includes(pull, { user }) && !seenBy.has(number) && wanted.some((glob) => decides(place, glob)),
  );
  const who = user ?? "who has no login";
  return hiding.map(({ number, repositories }) =>
    number === 0
      ? `repositories that no rule of access names: ${who} may not pull them`
      : `${repositories.join(", ")} (rule ${number} of access): ${who} may not pull there`,
  );
}

/** A grant for a person: "anyone", "every user", or the names. */
export const grantText = (grant: Grant): string =>
  grant === "anonymous" ? "anyone" : grant === "authenticated" ? "every user" : grant.join(", ") || "nobody";

/** Those of a caller's groups that rules name. */
export const groupsIn = (rules: readonly RepositoryRule[], groups: readonly string[]): string[] =>
  groups.filter((group) =>
    rules.some((rule) =>
      PERMISSIONS.some((permission) => {
        const grant = rule[permission];
        return typeof grant !== "string" && grant.includes(GROUP + group);
      }),
    ),
  );

/** Whether some repository may be pulled without a login. */
export const isAnyPublic = (rules: readonly RepositoryRule[]): boolean =>
  rules.some(({ pull }) => pull === "anonymous");
