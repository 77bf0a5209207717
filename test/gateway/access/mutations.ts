/** The rules of the gateway that judge by `access`, each taken away or widened. */
import { replace } from "../attacks/mutation.js";
import { REPOSITORIES, repositoriesOf } from "./model.js";
import type { Part } from "./sweep.js";

export interface AccessMutation {
  rule: string;
  of: "config" | "script";
  change: (text: string) => string;
  /** What must notice it: a part of the sweep, or the rights in some repositories. */
  noticedBy: Exclude<Part, "rights"> | readonly string[];
}

type NoticedBy = AccessMutation["noticedBy"];
const config = (rule: string, noticedBy: NoticedBy, what: string | RegExp, by: string): AccessMutation => ({
  rule,
  of: "config",
  change: (text) => replace(text, what, by),
  noticedBy,
});
const script = (...[rule, noticedBy, what, by]: Parameters<typeof config>): AccessMutation => ({
  ...config(rule, noticedBy, what, by),
  of: "script",
});
const TEAM = ["team-a"];

/** Repositories that begin as a glob matches, and go on. */
const behind = (pattern = ""): string[] =>
  REPOSITORIES.filter((name) => new RegExp(pattern).test(name) && !new RegExp(`${pattern}$`).test(name));

/** Each grant of a rendered config, given to every user instead; and each glob of a rule, so that the next one decides. */
function ofRules(text: string): AccessMutation[] {
  const grants = [...text.matchAll(/^ {8}"(\d+ (?:pull|push|delete))" "(,[^"]*)";$/gm)].map(([line, key]) =>
    config(
      `grant ${key}, widened`,
      repositoriesOf(Number.parseInt(key ?? "", 10)),
      line,
      line.replace(/"[^"]*";$/, '"@";'),
    ),
  );
  const map = text.slice(text.indexOf("map $target $rule {"), text.indexOf("# Whom the rule names"));
  const globs = [...map.matchAll(/^ {8}"(~[^"]+)" (\d+);$/gm)].map(([line, pattern, number]) =>
    config(`glob ${pattern} of rule ${number}, removed`, repositoriesOf(Number(number)), line, ""),
  );
  const widened = [...map.matchAll(/^ {8}"~(\^[^"]+)\$" (\d+);$/gm)].map(([line, pattern]) =>
    config(`the end of glob ${pattern}`, behind(pattern), line, line.replace('$"', '"')),
  );
  return [...grants, ...globs, ...widened];
}

/** Each of these was a hole once. */
const mountedByTags = config(
  "every location sends the judged address",
  "mounts",
  /location ~ "\^\/v2\/\(\?:_catalog.*\n.*\n *proxy_pass .*;/,
  'location ~ "^/v2/(?:_catalog$|.+/(?:tags|referrers)/)" {\n proxy_pass http://$upstream;',
);
const hiddenByQuery = config(
  "a query is no path",
  "immutable",
  "(?<before>/v2/[^?]+/manifests/)",
  "(?<before>/v2/.+/manifests/)",
);
const inAnySpelling: AccessMutation = {
  rule: "a reserved name is nobody's in any spelling",
  of: "config",
  noticedBy: "reserved",
  change: (text) =>
    replace(
      replace(text, /"~\^hephaestus\[\.\]temporary\$" operator;/, "hephaestus.temporary operator;"),
      /"~\*\^hephaestus\[\.-\]" +misnamed;/,
      '"~^hephaestus[.-]" misnamed;',
    ),
};

/** Faults of an earlier version that fuzzed requests must find, and who can. */
export const FORMER_FAULTS = [
  { fault: mountedByTags, fuzzer: "anna" },
  { fault: inAnySpelling, fuzzer: "HEPHAESTUS.TEMPORARY" },
  { fault: hiddenByQuery, fuzzer: "ci" },
] as const;

/** @param text the rendered config */
export const accessMutations = (text: string): AccessMutation[] => [
  ...ofRules(text),
  {
    ...config(
      "the line counts as it was sent",
      "spellings",
      "map $request_uri $target {",
      "map $uri $target {",
    ),
    change: (text) =>
      replace(
        replace(text, "map $request_uri $target {", "map $uri $target {"),
        'map "$request_method $request_uri" $operation {',
        'map "$request_method $uri" $operation {',
      ),
  },
  config(
    "a read is a pull",
    TEAM,
    /"~\^\(\?:GET\|HEAD\) (.*manifests\|blobs.*)" pull;/,
    '"~^(?:GET) $1" pull;',
  ),
  config("an upload is a push", TEAM, /" push;\n/, '" pull;\n'),
  config("a manifest is a push", TEAM, /("~\^PUT .*") push;/, "$1 pull;"),
  config("a deletion is a delete", TEAM, /("~\^DELETE .*") delete;/, "$1 pull;"),
  config(
    "what is not known is nothing",
    "spellings",
    /default "";\n(?= {4}\}\n {4}# An expression that fails)/,
    "default login;\n",
  ),
  config(
    "no user has no name",
    "catalogs",
    "map $user $identity {",
    'map $user $identity {\n        "" ",ann,";\n        "-" ",ann,";',
  ),
  config("names count as a whole", ["team-a/secret"], ",([^,:]+),.*\\n,\\1,", ",([^,:]+),.*\\n,\\1"),
  config("a group is no user", TEAM, ",([^,:]+),.*\\n,\\1,", ",([^,:]+),.*\\n.*,\\1,"),
  config("a user is no group", ["crew/app"], "\\n,[^,]+,(?:.*,)?\\1,", "\\n.*,\\1,"),
  config("groups are named", ["crew/app"], /.*,group:.* yes;\n/, ""),
  config("every user is no name", ["other"], '"~^[a-z]+\\n@\\n," yes;', ""),
  config("anyone is anyone", ["other"], '"~^[a-z]+\\n\\*\\n" yes;', ""),
  mountedByTags,
  config(
    "an upload ends the path",
    ["open/blobs/uploads/x"],
    "blobs/uploads(?:/[^/]*)?$)",
    "blobs/uploads(?:/|$))",
  ),
  hiddenByQuery,
  inAnySpelling,
  config("what is not permitted is denied", TEAM, "default   rule;", 'default   "";'),
  config("what is denied goes nowhere", TEAM, '"~^[a-z]" denied;', ""),
  config("anyone pulls what is public alone", TEAM, 'read \\* " allow;', '" allow;'),
  config("a user ends on the day", "ends", /"~\^\(\[0-9\]\+\) \\1\$" +ended;/, ""),
  config("a user stays ended", "ends", /"~\^\(\[0-9\]\*\)\(\?:0.*" ended;/, ""),
  config("each user has an end of its own", "ends", "~^([^ ]+) .*,\\1 (?<day>", "~ .*,[^ ]+ (?<day>"),
  config("who has ended gets no token", "ends", "@token$ended;", "@token;"),
  config("the ends of other users stay inside", "ends", "proxy_hide_header X-Account-Ends;", ""),
  config("the cache is for those who may", TEAM, 'proxy_cache_key "$denied$uri', 'proxy_cache_key "$uri'),
  config("the catalog is filtered", "catalogs", '"~^ catalog" guard;', ""),
  config(
    "the guard hears who asks",
    "catalogs",
    "proxy_set_header X-Identity $identity;",
    "proxy_set_header X-Identity operator;",
  ),
  config("a mount is judged", "mounts", "POST    $new_upload_uri;", ""),
  config("a form is no query", "mounts", "POST    application/octet-stream;", "POST    $http_content_type;"),
  config("immutable tags take no push", "immutable", '"~^ push tag$" immutable;', ""),
  config("immutable tags take no delete", "immutable", '"~^ delete [a-z]+$" guard;', ""),
  config("a tag keeps its digest", "immutable", "again;\n", "new;\n"),
  config("content of immutable tags stays", "immutable", /"~\^DELETE \d+ " content;/, ""),
  script(
    "the script's rules are in their order",
    "catalogs",
    "const RULES = [",
    "const RULES = [\n    { repositories: ['.+'], pull: '*', immutable: '#' },",
  ),
  script("a parameter counts once", "mounts", " || found[key] !== undefined", ""),
  script(
    "keys are decoded",
    "mounts",
    "const key = decoded(at < 0 ? pairs[i] : pairs[i].slice(0, at));",
    "const key = pairs[i].slice(0, at);",
  ),
  script("a mount needs a pull", "mounts", "|| puller(r.variables.identity)(source)", ""),
  script("the catalog names what one may pull", "catalogs", "page.filter(mayPull)", "page"),
  script("a rule that grants nothing decides too", "catalogs", "'(?:' : '(?='", "'(?:' : '(?:'"),
  script("the next page begins behind a shown name", "catalogs", "shown[shown.length - 1]", "last"),
  script("a query is no part of what is deleted", "immutable", ".split('?')[0]", ""),
  script(
    "a user is no group for the script",
    "catalogs",
    "i === 1 ? `,${name},` : `,group:${name},`",
    "`,${name},`",
  ),
  script("layers of immutable tags stay", "immutable", "if (parts[2] === 'blobs') {", "if (false) {"),
  script("immutable tags stay", "immutable", "&& immutable.test(reference)", "&& false"),
  script("parts of an index stay", "immutable", ".manifests || []", ".none || []"),
  script("digests of immutable tags stay", "immutable", /if \(await belongsTo\(.*\) \{/, "if (false) {"),
];
