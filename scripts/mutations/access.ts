import type { Subject } from "./mutation.js";

/** What decides who may pull, push and delete. */
export const ACCESS: readonly Subject[] = [
  {
    file: "src/access/repositoryRules.ts",
    tests: ["repositoryRules.test.ts"],
    mutations: [
      {
        what: "if (name.startsWith(USER)) return [name.slice(USER.length)];",
        by: "",
        rule: "user:team is the user, not the group",
      },
      {
        what: "name.startsWith(GROUP) ? name.slice(GROUP.length) : name;",
        by: "name;",
        rule: "group:team is a group of the config",
      },
      {
        what: "(Object.hasOwn(groups, group) ? groups[group] : undefined) ?? [name]",
        by: "groups[group] ?? [name]",
        rule: "what every object has is no group",
      },
      {
        what: 'if (a === "anonymous" || b === "anonymous") return "anonymous";',
        by: 'if (a === "anonymous" && b === "anonymous") return "anonymous";',
        rule: "anyone may do what anyone may do by one of two grants",
      },
      {
        what: 'if (a === "authenticated" || b === "authenticated") return "authenticated";',
        by: 'if (a === "authenticated") return "authenticated";',
        rule: "every user may do what every user may do by one of two grants",
      },
      { what: "return [...new Set([...a, ...b])];", by: "return a;", rule: "who may push may also pull" },
      {
        what: "pull: union(pull, union(push, remove)),",
        by: "pull: union(pull, push),",
        rule: "who may delete may also pull",
      },
      {
        what: "pull: union(pull, union(push, remove)),",
        by: "pull: union(pull, remove),",
        rule: "who may push may also pull, whoever may delete",
      },
      {
        what: "resolved(rule.pull ?? registry.pull);",
        by: 'resolved(rule.pull ?? "anonymous");',
        rule: "where a rule leaves out pull, that of the registry counts",
      },
      {
        what: 'typeof pull === "string" ? "authenticated" : pull;',
        by: '"authenticated";',
        rule: "push is given to those whom pull names",
      },
      {
        what: "rule.delete ? resolved(rule.delete) : push;",
        by: "rule.delete ? resolved(rule.delete) : pull;",
        rule: "delete is given to those who may push",
      },
      {
        what: "const push = rule.push ? resolved(rule.push)",
        by: "const push = rule.push?.length ? resolved(rule.push)",
        rule: "push: [] is nobody",
      },
      {
        what: "const rest = { pull: registry.pull,",
        by: 'const rest = { pull: "anonymous",',
        rule: "where no rule matches, the registry's pull counts",
      },
      {
        what: 'push: "authenticated", delete: "authenticated" } as const;',
        by: 'push: "anonymous", delete: "authenticated" } as const;',
        rule: "where no rule matches, every user pushes",
      },
      { what: "return [...rules, { number: 0,", by: "return [{ number: 0,", rule: "the rules count" },
      {
        what: "candidates.find(({ segments })",
        by: "candidates.findLast(({ segments })",
        rule: "the first rule that matches decides",
      },
      {
        what: "isOpen || first === name",
        by: "first === name",
        rule: "a rule that begins with a star is looked at for each name",
      },
      {
        what: '?? "") ?? open;',
        by: '?? "") ?? globs;',
        rule: "names without a rule of their own are looked at",
        survives: "the others match nothing there",
      },
      {
        what: 'return { rule, pull: may("pull"), push: may("push")',
        by: 'return { rule, pull: may("push"), push: may("push")',
        rule: "pulling is pulling",
      },
      { what: "if (user === undefined) return false;", by: "", rule: "without a login nobody is a user" },
      {
        what: "|| groups.some((name) => grant.includes(GROUP + name))",
        by: "|| groups.some((name) => grant.includes(name))",
        rule: "a user and a group of Authelia of one name have nothing in common",
      },
      {
        what: "|| groups.some((name) => grant.includes(GROUP + name))",
        by: "",
        rule: "a member of a group of Authelia may do what the group may",
      },
      { what: "immutable: rule.immutable,", by: "immutable: [],", rule: "a rule keeps its immutable tags" },
      {
        what: "immutable.some((glob) => matchesGlob(glob, tag));",
        by: "immutable.includes(tag);",
        rule: "immutable tags are globs",
      },
      {
        what: "!name.startsWith(GROUP) && !users.includes(name)",
        by: "!users.includes(name)",
        rule: "a group of Authelia is no unknown user",
      },
      { what: "...Object.values(groups).flat()]);", by: "]);", rule: "members of groups are users" },
      {
        what: "!seenBy.has(number) && wanted",
        by: "wanted",
        rule: "a rule by which a user sees something hides nothing",
      },
      {
        what: "!isCovered(\n      glob,",
        by: "isCovered(\n      glob,",
        rule: "a rule whose repositories earlier rules decide about hides nothing",
      },
      {
        what: 'rules.some(({ pull }) => pull === "anonymous");',
        by: 'rules.every(({ pull }) => pull === "anonymous");',
        rule: "one public repository is enough for the library",
      },
    ],
  },
  {
    file: "src/access/glob.ts",
    tests: ["glob.test.ts"],
    mutations: [
      {
        what: 'segment === "*" ? "[^/]+" :',
        by: 'segment === "*" ? "[^/]*" :',
        rule: "* as a segment is not nothing",
      },
      { what: 'replaceAll(".", "[.]")', by: 'replaceAll("", "")', rule: "a dot is a dot" },
      { what: 'replaceAll("*", "[^/]*")', by: 'replaceAll("*", ".*")', rule: "* stays within its segment" },
      { what: 'pattern += "(?:.+/)?";', by: 'pattern += "(?:.+/)";', rule: "** is also no segment" },
      { what: "return `^${pattern}$`;", by: "return `^${pattern}`;", rule: "a glob matches the whole name" },
      {
        what: 'inner !== "**" && matchesSegment',
        by: "matchesSegment",
        rule: "** is more than * covers",
      },
      {
        what: "matchesSegment(outer, inner)",
        by: "matchesSegment(inner, outer)",
        rule: "covered is what the others match",
      },
      { what: "return at === pattern.length;", by: "return true;", rule: "a name ends where its glob ends" },
      {
        what: 'segment === "*" ? name !== ""',
        by: 'segment === "*" ? true',
        rule: "* as a segment is not nothing for a name",
        survives: "no name has an empty segment",
      },
      {
        what: "(b[j] === many && (row[j + 1] === true || after[j] === true))",
        by: "(b[j] === many && row[j + 1] === true)",
        rule: "globs meet if some name is of both",
      },
    ],
  },
  {
    file: "src/config/accessFindings.ts",
    tests: ["repositoryRules.test.ts"],
    mutations: [
      {
        what: "!isCovered(other, [glob]) && !isCovered(glob, [other])",
        by: "!isCovered(glob, [other])",
        rule: "an exception in front of a rule is meant",
      },
      {
        what: 'if (more === "anonymous" && less !== "anonymous")',
        by: 'if (more === "anonymous")',
        rule: "a rule that grants no more is no trap",
      },
      {
        what: 'if (more === "authenticated") return',
        by: 'if (more === "none") return',
        rule: "every user is more than some",
        survives: "the first name of none is looked for in vain",
      },
      {
        what: "before.push(...repositories);",
        by: 'before.unshift(repositories[0] ?? "");',
        rule: "every glob of an earlier rule counts",
      },
      {
        what: 'if (typeof pull === "string" || grant === undefined) return [];',
        by: "if (grant === undefined) return [];",
        rule: "where every user pulls, none is outside",
      },
      {
        what: "members(grant).find((user) => !includes(",
        by: "members(grant).find((user) => includes(",
        rule: "who may push and not pull is named",
      },
      {
        what: 'provider === "htpasswd")\n      return',
        by: 'provider !== "htpasswd")\n      return',
        rule: "without Authelia there are no groups of it",
      },
      {
        what: 'prefix === "user" || isGroup(bare) ||',
        by: 'prefix === "user" ||',
        rule: "a group of the config is there",
      },
      { what: "if (!isGroup(name)) return [];", by: "return [];", rule: "a group in a group is named" },
      {
        what: "|| isAnyPublic(repositoryRules(config))) return [];",
        by: ") return [];",
        rule: "a library with something to show is in order",
      },
      {
        what: "if (registry.delete || retention.length === 0) return [];",
        by: "return [];",
        rule: "retention without deletes is named",
      },
      {
        what: "if (registry.delete || index < 0) return [];",
        by: "if (registry.delete || index <= 0) return [];",
        rule: "the first rule counts, too",
      },
    ],
  },
  {
    file: "src/users/userFindings.ts",
    tests: ["repositoryRules.test.ts"],
    mutations: [
      {
        what: "isReserved(user) && user !== TEMPORARY_USER",
        by: "isReserved(user)",
        rule: "the temporary user is no finding",
      },
      { what: "users.length > 0 && config", by: "config", rule: "without known users nobody is unknown" },
      {
        what: 'config.users.provider === "htpasswd";',
        by: 'config.users.provider !== "authelia";',
        rule: "users of Authelia are not known here",
      },
    ],
  },
];
