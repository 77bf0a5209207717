import { intersect, isCovered } from "../access/glob.js";
import {
  includes,
  isAnyPublic,
  namedBy,
  PERMISSIONS,
  type RepositoryRule,
  repositoryRules,
} from "../access/repositoryRules.js";
import { type ConfigIssue, error, warning } from "./configIssue.js";
import type { ParsedConfig } from "./schema/index.js";

/** Lists of rules of which the first that matches a repository decides. */
type RuleList = "access" | "retention";
type Rules = readonly { repositories: readonly string[] }[];

/** Words that a rule writes in the place of a list. */
const RESERVED = ["anonymous", "authenticated"];

/**
 * What is wrong with `access`, `groups` and `retention`: rules that can never match or contradict themselves.
 */
export function accessFindings(config: ParsedConfig): ConfigIssue[] {
  return [
    ...unreachable("access", config.access),
    ...unreachable("retention", config.retention),
    ...overlaps(config),
    ...contradictions(config),
    ...reservedNames(config),
    ...usersOrGroups(config),
    ...deletesThatAreOff(config),
    ...pruningThatIsOff(config),
    ...emptyLibrary(config),
  ];
}

/** Globs that an earlier one matches completely. */
function unreachable(key: RuleList, rules: Rules): ConfigIssue[] {
  const found: ConfigIssue[] = [];
  const before: string[] = [];
  for (const [index, { repositories }] of rules.entries()) {
    for (const [place, glob] of repositories.entries()) {
      const path = [key, index, "repositories", place];
      const twin = repositories.slice(0, place).find((other) => isCovered(glob, [other]));
      if (twin !== undefined)
        found.push(warning(path, `${glob} adds nothing to ${twin} in the same rule`, "Remove it."));
      else if (before.length > 0 && isCovered(glob, before))
        found.push(
          warning(
            path,
            `rule ${index + 1} never decides about ${glob}: earlier rules match all of it`,
            "Put it before the wider rule, or remove it. The first rule that matches decides.",
          ),
        );
    }
    before.push(...repositories);
  }
  return found;
}

/**
 * Globs that share names with one of an earlier rule which grants more there: the wrong order publishes a
 * repository without a word. Where one glob lies within the other, the order is meant, or no rule is ever
 * reached.
 */
function overlaps(config: ParsedConfig): ConfigIssue[] {
  const rules = repositoryRules(config).filter(({ number }) => number > 0);
  return rules.flatMap((rule, index) =>
    rule.repositories.flatMap((glob, place) => {
      for (const earlier of rules.slice(0, index)) {
        const more = grantsMore(earlier, rule);
        const shared = earlier.repositories.find(
          (other) => intersect(other, glob) && !isCovered(other, [glob]) && !isCovered(glob, [other]),
        );
        if (more === undefined || shared === undefined) continue;
        return [
          warning(
            ["access", index, "repositories", place],
            `rule ${earlier.number} (${shared}) decides where both match, and lets ${more}`,
            `Put the rule of ${glob} before it, unless that is meant. The first rule that matches decides.`,
          ),
        ];
      }
      return [];
    }),
  );
}

/** Someone who may do by one rule what the other does not allow, and what that is. */
function grantsMore(rule: RepositoryRule, other: RepositoryRule): string | undefined {
  for (const permission of PERMISSIONS) {
    const [more, less] = [rule[permission], other[permission]];
    if (more === "anonymous" && less !== "anonymous") return `anyone ${permission}`;
    if (typeof less === "string") continue;
    if (more === "authenticated") return `every user ${permission}`;
    const who = typeof more === "string" ? undefined : more.find((name) => !less.includes(name));
    if (who !== undefined) return `${who} ${permission}`;
  }
  return undefined;
}

/** Rules whose `pull` excludes someone whom `push` or `delete` includes. */
function contradictions({ access, groups, registry }: ParsedConfig): ConfigIssue[] {
  const members = (names: readonly string[]) => names.flatMap((name) => namedBy(name, groups));
  return access.flatMap((rule, index) =>
    (["push", "delete"] as const).flatMap((permission): ConfigIssue[] => {
      const [pull, grant] = [rule.pull ?? registry.pull, rule[permission]];
      if (typeof pull === "string" || grant === undefined) return [];
      const outside =
        grant === "authenticated"
          ? "every user"
          : members(grant).find((user) => !includes(members(pull), { user }));
      if (outside === undefined) return [];
      const message = `${outside} may ${permission} but is not in pull, and who may ${permission} may also pull`;
      return [
        warning(
          ["access", index, permission],
          message,
          `Add them to pull, or remove them from ${permission}.`,
        ),
      ];
    }),
  );
}

function reservedNames({ access, groups }: ParsedConfig): ConfigIssue[] {
  const inRules = access.flatMap((rule, index) =>
    (["pull", "push", "delete"] as const).flatMap((permission) => {
      const grant = rule[permission];
      const place = Array.isArray(grant) ? grant.findIndex((name) => RESERVED.includes(name)) : -1;
      if (place < 0) return [];
      const word = grant?.[place];
      const path = ["access", index, permission, place];
      return [error(path, `${word} is not a user`, `Write ${permission}: ${word}, without a list.`)];
    }),
  );
  const inGroups = Object.keys(groups)
    .filter((name) => RESERVED.includes(name))
    .map((name) => error(["groups", name], `${name} cannot be a group`, "Choose another name."));
  return [...inRules, ...inGroups];
}

/** Names that could be a user's and a group's, each once, and groups that are not there. */
function usersOrGroups({ access, groups, users: { provider } }: ParsedConfig): ConfigIssue[] {
  const isGroup = (name: string) => Object.hasOwn(groups, name);
  const seen = new Set<string>();
  const judge = (name: string, path: ConfigIssue["path"]): ConfigIssue[] => {
    const [, prefix, bare = ""] = /^(?:(user|group):)?(.+)$/.exec(name) ?? [];
    if (prefix === "user" || isGroup(bare) || seen.has(name)) return [];
    seen.add(name);
    if (prefix === "group" && provider === "htpasswd")
      return [
        error(
          path,
          `there is no group ${bare}`,
          "Name it in groups. Groups of Authelia count if users.provider is authelia or both.",
        ),
      ];
    if (prefix !== undefined || provider === "htpasswd") return [];
    return [
      warning(
        path,
        `${name} means the user, and no group of Authelia`,
        `Write group:${name} for the group, or user:${name} for the user.`,
      ),
    ];
  };
  const inRules = access.flatMap((rule, index) =>
    PERMISSIONS.flatMap((permission) => {
      const grant = rule[permission] ?? [];
      if (typeof grant === "string") return [];
      return grant.flatMap((name, place) => judge(name, ["access", index, permission, place]));
    }),
  );
  const inGroups = Object.entries(groups).flatMap(([group, members]) =>
    members.flatMap((name, place) => {
      if (!isGroup(name)) return [];
      const message = `${name} means the user here, and not the members of the group ${name}`;
      return [
        warning(["groups", group, place], message, "List the members, or give the group another name."),
      ];
    }),
  );
  return [...inRules, ...inGroups];
}

/** A library that has nothing to show: with rules it sees what anyone may pull. */
function emptyLibrary(config: ParsedConfig): ConfigIssue[] {
  if (!config.ui.enabled || config.access.length === 0 || isAnyPublic(repositoryRules(config))) return [];
  return [
    warning(
      ["ui"],
      "the library shows nothing, since no rule lets anyone pull",
      "Set pull: anonymous for what it is to show, or ui.enabled: false.",
    ),
  ];
}

function pruningThatIsOff({ retention, registry }: ParsedConfig): ConfigIssue[] {
  if (registry.delete || retention.length === 0) return [];
  return [
    warning(
      ["retention"],
      "no tag is ever deleted, since registry.delete is false",
      "Set registry.delete: true, or remove retention.",
    ),
  ];
}

function deletesThatAreOff({ access, registry }: ParsedConfig): ConfigIssue[] {
  const index = access.findIndex((rule) => rule.delete !== undefined);
  if (registry.delete || index < 0) return [];
  return [
    warning(
      ["access", index, "delete"],
      "nobody may delete, since registry.delete is false",
      "Set registry.delete: true, or remove delete from the rules.",
    ),
  ];
}
