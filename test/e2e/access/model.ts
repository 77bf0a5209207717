/** Who may do what in the tests of the rules: the rules as a person would read them, written apart from the product. */

export type Permission = "pull" | "push" | "delete";
/** Someone of the tests; undefined is someone without a login. */
export type Caller = "ann" | "bob" | "ci" | "anna" | undefined;

export const CALLERS: readonly Caller[] = [undefined, "ann", "bob", "ci", "anna"];

/** The part of the config. */
export const RULES = {
  groups: { "team-a": ["ann", "ci"] },
  access: [
    { repositories: ["team-a/secret/**"], pull: ["ann"] },
    {
      repositories: ["team-a/**"],
      pull: ["team-a", "bob"],
      push: ["team-a"],
      delete: ["ann"],
      immutable: ["v*"],
    },
    { repositories: ["*/private", "**/deep/private"], pull: "authenticated", push: ["bob"] },
    { repositories: ["open/**"], pull: "anonymous", push: "authenticated", delete: ["bob"] },
    { repositories: ["shut/**"], pull: [], push: [], delete: [] },
    { repositories: ["mirror/*"], push: ["ci"], delete: [] },
  ],
} as const;

/** Repositories that exist, at least one for each rule. */
export const REPOSITORIES = [
  "team-a",
  "team-a/app",
  "team-a/secret",
  "team-a/secret/key",
  "team-a/secretary",
  "team-ab/app",
  "shop/private",
  "a/b/deep/private",
  "shop/private-label",
  "a/deep/privates",
  "open/library",
  "openly/read",
  "shut/box",
  "shutter",
  "mirror/alpine",
  "mirror/alpine/old",
  "other",
] as const;

const everybody = new Set<Caller>(CALLERS);
const users = new Set<Caller>(["ann", "bob", "ci", "anna"]);
const only = (...callers: Caller[]) => new Set<Caller>(callers);

/** Whom each rule names for pull, push and delete. */
const TABLE: Record<string, [pull: Set<Caller>, push: Set<Caller>, remove: Set<Caller>]> = {
  secret: [only("ann"), only("ann"), only("ann")],
  "team-a": [only("ann", "ci", "bob"), only("ann", "ci"), only("ann")],
  private: [users, only("bob"), only("bob")],
  open: [everybody, users, only("bob")],
  shut: [only(), only(), only()],
  mirror: [everybody, only("ci"), only()],
  other: [everybody, users, users],
};

/** The rule for a repository, by its path segments. */
function ruleFor(repository: string): string {
  const [first = "", ...rest] = repository.split("/");
  if (first === "team-a") return rest[0] === "secret" ? "secret" : "team-a";
  if (rest.length === 1 && rest[0] === "private") return "private";
  if (rest.at(-1) === "private" && (rest.at(-2) ?? first) === "deep") return "private";
  if (first === "open" || first === "shut") return first;
  return first === "mirror" && rest.length === 1 ? "mirror" : "other";
}

export function may(caller: Caller, permission: Permission, repository: string): boolean {
  const row = TABLE[ruleFor(repository)] as (typeof TABLE)[string];
  return row[(["pull", "push", "delete"] as const).indexOf(permission)]?.has(caller) === true;
}

/** Whether a tag of a repository stays as it is. */
export const isImmutable = (repository: string, tag: string): boolean =>
  ruleFor(repository) === "team-a" && tag.startsWith("v");
