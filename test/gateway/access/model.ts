/** Who may do what in the tests of the rules: the rules as a person would read them, written apart from the product. */

export type Permission = "pull" | "push" | "delete";
/** Users of Authelia with their groups. Names of the others are in the htpasswd. */
export const PEOPLE = {
  // In another case, and with users and a group of the config as groups.
  ANN: ["ann", "bob", "team-a"],
  // Named as a group.
  crew: [],
  kim: ["crew", "All Staff", "Grüne Wiese"],
  // The one that a restore creates for itself, in another spelling: nobody.
  "HEPHAESTUS.TEMPORARY": ["crew"],
} as const;
/** Someone of the tests; undefined is someone without a login. */
export type Caller = "ann" | "bob" | "ci" | "anna" | keyof typeof PEOPLE | undefined;

export const CALLERS: readonly Caller[] = [undefined, "ann", "bob", "ci", "anna", "ANN", "crew", "kim"];

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
    { repositories: ["crew/**"], pull: ["group:crew"] },
    { repositories: ["named/**"], pull: ["user:crew", "user:bob"] },
    { repositories: ["staff/**"], pull: ["group:All Staff"], push: ["group:Grüne Wiese"] },
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
  "team-a/tags/list",
  "team-a/blobs/uploads",
  "team-a/secret/manifests/latest",
  "open/library",
  "open/tags/x",
  "open/referrers/x",
  "open/manifests/x",
  "open/blobs/uploads/x",
  "openly/read",
  "shut/box",
  "shut/referrers/x",
  "shutter",
  "mirror/alpine",
  "mirror/alpine/old",
  "crew/app",
  "crew/uploads",
  "crewed/app",
  "named/app",
  "nameds",
  "staff/app",
  "staff-room/app",
  "other",
] as const;

const everybody = new Set<Caller>([...CALLERS, "HEPHAESTUS.TEMPORARY"]);
const users = new Set<Caller>(CALLERS.filter((caller) => caller !== undefined));
const only = (...callers: Caller[]) => new Set<Caller>(callers);

/** Whom each rule names for pull, push and delete. */
const TABLE: Record<string, [pull: Set<Caller>, push: Set<Caller>, remove: Set<Caller>]> = {
  secret: [only("ann"), only("ann"), only("ann")],
  "team-a": [only("ann", "ci", "bob"), only("ann", "ci"), only("ann")],
  private: [users, only("bob"), only("bob")],
  open: [everybody, users, only("bob")],
  shut: [only(), only(), only()],
  mirror: [everybody, only("ci"), only()],
  crew: [only("kim"), only("kim"), only("kim")],
  named: [only("crew", "bob"), only("crew", "bob"), only("crew", "bob")],
  staff: [only("kim"), only("kim"), only("kim")],
  other: [everybody, users, users],
};

/** The rules in the order of the config; where none matches, it is `other`, which the gateway numbers 0. */
const IN_ORDER = ["other", ...Object.keys(TABLE).filter((name) => name !== "other")];

/** The repositories that a rule decides about, by its number in the rendered config. */
export const repositoriesOf = (rule: number): string[] =>
  REPOSITORIES.filter((repository) => ruleFor(repository) === IN_ORDER[rule]);

/** The rule for a repository, by its path segments. */
function ruleFor(repository: string): string {
  const [first = "", ...rest] = repository.split("/");
  if (first === "team-a") return rest[0] === "secret" ? "secret" : "team-a";
  if (rest.length === 1 && rest[0] === "private") return "private";
  if (rest.at(-1) === "private" && (rest.at(-2) ?? first) === "deep") return "private";
  if (["open", "shut", "crew", "named", "staff"].includes(first)) return first;
  return first === "mirror" && rest.length === 1 ? "mirror" : "other";
}

export function may(caller: Caller, permission: Permission, repository: string): boolean {
  const row = TABLE[ruleFor(repository)] as (typeof TABLE)[string];
  return row[(["pull", "push", "delete"] as const).indexOf(permission)]?.has(caller) === true;
}

/** Whether a tag of a repository stays as it is. */
export const isImmutable = (repository: string, tag: string): boolean =>
  ruleFor(repository) === "team-a" && tag.startsWith("v");
