/** The rules of the gateway that judge by `access`, each taken away or widened. */
import type { Settings } from "../../../src/services/gateway/program/settings.js";
import { replace } from "../attacks/mutation.js";
import type { GatewayFiles } from "../gateways.js";
import { repositoriesOf } from "./model.js";
import type { Part } from "./sweep.js";

export interface AccessMutation {
  rule: string;
  change: (files: GatewayFiles) => GatewayFiles;
  /** What must notice it: a part of the sweep, or the rights in some repositories, or fuzzed requests alone. */
  noticedBy: Exclude<Part, "rights"> | readonly string[] | "fuzzing";
}

type NoticedBy = AccessMutation["noticedBy"];
const mutation =
  (of: keyof GatewayFiles) =>
  (rule: string, noticedBy: NoticedBy, what: string | RegExp, by: string): AccessMutation => ({
    rule,
    change: (files) => ({ ...files, [of]: replace(files[of], what, by) }),
    noticedBy,
  });
const config = mutation("config");
const program = mutation("program");
const TEAM = ["team-a"];

/** Each grant of a config, given to every user instead; and each glob of a rule, so that the next one decides. */
function ofRules(text: string): AccessMutation[] {
  const written = (JSON.parse(text) as Settings).rules.filter(({ number }) => number > 0);
  const changed =
    (number: number, change: (rule: Settings["rules"][number]) => object) =>
    (files: GatewayFiles): GatewayFiles => {
      const settings = JSON.parse(files.settings) as Settings;
      const rules = settings.rules.map((rule) =>
        rule.number === number ? { ...rule, ...change(rule) } : rule,
      );
      return { ...files, settings: JSON.stringify({ ...settings, rules }) };
    };
  return written.flatMap((rule): AccessMutation[] => {
    const { number, repositories } = rule;
    const noticedBy = repositoriesOf(number);
    return [
      ...(["pull", "push", "delete"] as const)
        .filter((permission) => typeof rule[permission] !== "string")
        .map((permission) => ({
          rule: `grant ${number} ${permission}, widened`,
          noticedBy,
          change: changed(number, () => ({ [permission]: "authenticated" })),
        })),
      ...repositories.map((glob) => ({
        rule: `glob ${glob} of rule ${number}, removed`,
        noticedBy,
        change: changed(number, (one) => ({
          repositories: one.repositories.filter((other) => other !== glob),
        })),
      })),
    ];
  });
}

/** Holes that fuzzed requests must find, and who finds them. The first three were there once. */
export const FOUND_BY_FUZZING = [
  ["a mount is judged", "anna"],
  ["a reserved name is nobody's in any spelling", "HEPHAESTUS.TEMPORARY"],
  ["a query is no part of a tag", "ci"],
  ["glob team-a/secret/** of rule 1, removed", "bob"],
  ["a HEAD is judged", undefined],
  ["an upload is a push", "bob"],
  ["a deletion is a delete", "ci"],
  ["the catalog names what one may pull", undefined],
  ["a token is signed", undefined],
] as const;

/** @param settings the rendered ones */
export const accessMutations = (settings: string): AccessMutation[] => [
  ...ofRules(settings),
  program("a mount is judged", "mounts", "|| !mayTake ? path", "? path"),
  program("a query is no part of a tag", "immutable", "if (!isTag ||", 'if (asked.query !== "" || !isTag ||'),
  {
    rule: "a reserved name is nobody's in any spelling",
    noticedBy: "reserved",
    change: (files) => ({
      ...files,
      program: replace(
        replace(files.program, "user === TEMPORARY_USER", "user.toLowerCase() === TEMPORARY_USER"),
        "if (!USER_NAME.test(user)) return",
        "if (false) return",
      ),
    }),
  },
  program(
    "a HEAD is judged",
    TEAM,
    'if (verdict === "deny")',
    'if (r.method === "HEAD" && asked !== void 0) return served(r, asked, claim, ANYONE);\n    if (verdict === "deny")',
  ),
  program(
    "a name ends where its glob ends",
    ["mirror/alpine/old"],
    "return at === pattern.length;",
    "return true;",
  ),
  program(
    "the line counts as it was sent",
    "spellings",
    'const uri = r.variables.request_uri ?? "";',
    "const uri = r.uri;",
  ),
  program(
    "a read is a pull",
    TEAM,
    'if (isRead(method)) return "pull";',
    'if (method === "GET") return "pull";',
  ),
  program(
    "an upload is a push",
    TEAM,
    'if (kind === "uploads") return "push";',
    'if (kind === "uploads") return "pull";',
  ),
  program("a deletion is a delete", TEAM, '? "delete" : "push";', '? "pull" : "push";'),
  program("a group is no user", ["team-a/secret"], "grant.includes(GROUP + name)", "grant.includes(name)"),
  program(
    "a user is no group",
    ["crew/app"],
    "if (user === void 0) return false;",
    "if (user === void 0) return false; groups = groups.concat(user);",
  ),
  program("groups are named", ["crew/app"], "groups.some((name)", "[].some((name)"),
  program("anyone pulls what is public alone", TEAM, "if (isKnown && isPublic)", "if (isKnown)"),
  program(
    "what is not permitted is denied",
    TEAM,
    "return permits(person, asked, rightsOf, settings.mirrored) ?",
    "return true ?",
  ),
  program("a user ends on the day", "ends", "account.end <= today", "account.end < today"),
  program("each user has an end of its own", "ends", "const start = `,${user} `;", 'const start = ",";'),
  config("the ends of other users stay inside", "ends", /proxy_hide_header X-Account-Ends;/g, ""),
  config("a form is no query", "mounts", "proxy_set_header Content-Type $sent_type;", ""),
  config("an immutable tag takes no other content", "immutable", "error_page 400 = @different;", ""),
  program(
    "immutable tags take no push",
    "immutable",
    "if (!isTag || !isImmutable",
    "if (true || !isImmutable",
  ),
  program("immutable tags take no delete", "immutable", 'if (asked.operation === "delete")', "if (false)"),
  program(
    "a tag keeps its digest",
    "immutable",
    'return { place: "@immutable" };',
    'return { place: "@writes" };',
  ),
  program("layers of immutable tags stay", "immutable", 'if (kind === "blobs") return isNeeded;', ""),
  program("parts of an index stay", "immutable", "(manifests ?? [])", "([])"),
  program("the catalog names what one may pull", "catalogs", "if (mayPull(repository)) ", ""),
  program("the next page begins behind a shown name", "catalogs", "shown.at(-1)", "names.at(-1)"),
  program(
    "a token is signed",
    "fuzzing",
    "if (!isSame(given, mac(key, payload))) return",
    "if (false) return",
  ),
  program("a parameter counts once", "mounts", " || found.has(key)", ""),
];
