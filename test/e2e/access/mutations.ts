/** The rules of the gateway that judge by `access`, each taken away or widened. */
import { replace } from "../attacks/mutation.js";

export interface AccessMutation {
  rule: string;
  of: "config" | "script";
  change: (text: string) => string;
}

const config = (rule: string, what: string | RegExp, by: string): AccessMutation => ({
  rule,
  of: "config",
  change: (text) => replace(text, what, by),
});
const script = (rule: string, what: string | RegExp, by: string): AccessMutation => ({
  ...config(rule, what, by),
  of: "script",
});

/** Each grant of a rendered config, given to every user instead; and each glob of a rule, so that the next one decides. */
function ofRules(text: string): AccessMutation[] {
  const grants = [...text.matchAll(/^ {8}"(\d+ (?:pull|push|delete))" "(,[^"]*)";$/gm)].map(([line, key]) =>
    config(`grant ${key}, widened`, line, line.replace(/"[^"]*";$/, '"@";')),
  );
  const map = text.slice(text.indexOf("map $target $rule {"), text.indexOf("# Whom the rule names"));
  const globs = [...map.matchAll(/^ {8}"(~[^"]+)" (\d+);$/gm)].map(([line, pattern, number]) =>
    config(`glob ${pattern} of rule ${number}, removed`, line, ""),
  );
  const widened = [...map.matchAll(/^ {8}"~(\^[^"]+)\$" (\d+);$/gm)].map(([line, pattern]) =>
    config(`the end of glob ${pattern}`, line, line.replace('$"', '"')),
  );
  return [...grants, ...globs, ...widened];
}

/** Each of these was a hole once. */
const mountedByTags = config(
  "every location sends the judged address",
  /location ~ "\^\/v2\/\(\?:_catalog.*\n.*\n *proxy_pass .*;/,
  'location ~ "^/v2/(?:_catalog$|.+/(?:tags|referrers)/)" {\n proxy_pass http://$upstream;',
);
const hiddenByQuery = config(
  "a query is no path",
  "(?<before>/v2/[^?]+/manifests/)",
  "(?<before>/v2/.+/manifests/)",
);
const inAnySpelling: AccessMutation = {
  rule: "a reserved name is nobody's in any spelling",
  of: "config",
  change: (text) =>
    replace(
      replace(text, /"~\^hephaestus\[\.\]temporary\$" operator;/, "hephaestus.temporary operator;"),
      /"~\*\^hephaestus\[\.-\]" +misnamed;/,
      '"~^hephaestus[.-]" misnamed;',
    ),
};

/** Faults of an earlier version that fuzzed requests must find. */
export const FORMER_FAULTS = [mountedByTags, inAnySpelling, hiddenByQuery];

/** @param text the rendered config */
export const accessMutations = (text: string): AccessMutation[] => [
  ...ofRules(text),
  {
    ...config("the line counts as it was sent", "map $request_uri $target {", "map $uri $target {"),
    change: (text) =>
      replace(
        replace(text, "map $request_uri $target {", "map $uri $target {"),
        'map "$request_method $request_uri" $operation {',
        'map "$request_method $uri" $operation {',
      ),
  },
  config("a read is a pull", /"~\^\(\?:GET\|HEAD\) (.*manifests\|blobs.*)" pull;/, '"~^(?:GET) $1" pull;'),
  config("an upload is a push", /" push;\n/, '" pull;\n'),
  config("a manifest is a push", /("~\^PUT .*") push;/, "$1 pull;"),
  config("a deletion is a delete", /("~\^DELETE .*") delete;/, "$1 pull;"),
  config(
    "what is not known is nothing",
    /default "";\n(?= {4}\}\n {4}# An expression that fails)/,
    "default login;\n",
  ),
  config(
    "no user has no name",
    "map $user $identity {",
    'map $user $identity {\n        "" ",ann,";\n        "-" ",ann,";',
  ),
  config("names count as a whole", ",([^,:]+),.*\\n,\\1,", ",([^,:]+),.*\\n,\\1"),
  config("a group is no user", ",([^,:]+),.*\\n,\\1,", ",([^,:]+),.*\\n.*,\\1,"),
  config("a user is no group", "\\n,[^,]+,(?:.*,)?\\1,", "\\n.*,\\1,"),
  config("groups are named", /.*,group:.* yes;\n/, ""),
  config("every user is no name", '"~^[a-z]+\\n@\\n," yes;', ""),
  config("anyone is anyone", '"~^[a-z]+\\n\\*\\n" yes;', ""),
  mountedByTags,
  config("an upload ends the path", "blobs/uploads(?:/[^/]*)?$)", "blobs/uploads(?:/|$))"),
  hiddenByQuery,
  inAnySpelling,
  config("what is not permitted is denied", "default   rule;", 'default   "";'),
  config("what is denied goes nowhere", '"~^[a-z]" denied;', ""),
  config("anyone pulls what is public alone", 'read \\* " allow;', '" allow;'),
  config("a user ends on the day", /"~\^\(\[0-9\]\+\) \\1\$" +ended;/, ""),
  config("a user stays ended", /"~\^\(\[0-9\]\*\)\(\?:0.*" ended;/, ""),
  config("each user has an end of its own", "~^([^ ]+) .*,\\1 (?<day>", "~ .*,[^ ]+ (?<day>"),
  config("who has ended gets no token", "@token$ended;", "@token;"),
  config("the ends of other users stay inside", "proxy_hide_header X-Account-Ends;", ""),
  config("the cache is for those who may", 'proxy_cache_key "$denied$uri', 'proxy_cache_key "$uri'),
  config("the catalog is filtered", '"~^ catalog" guard;', ""),
  config(
    "the guard hears who asks",
    "proxy_set_header X-Identity $identity;",
    "proxy_set_header X-Identity operator;",
  ),
  config("a mount is judged", "POST    $new_upload_uri;", ""),
  config("a form is no query", "POST    application/octet-stream;", "POST    $http_content_type;"),
  config("immutable tags take no push", '"~^ push tag$" immutable;', ""),
  config("immutable tags take no delete", '"~^ delete [a-z]+$" guard;', ""),
  config("a tag keeps its digest", "again;\n", "new;\n"),
  config("content of immutable tags stays", /"~\^DELETE \d+ " content;/, ""),
  script(
    "the script's rules are in their order",
    "const RULES = [",
    "const RULES = [\n    { repositories: ['.+'], pull: '*', immutable: '#' },",
  ),
  script("a parameter counts once", " || found[key] !== undefined", ""),
  script(
    "keys are decoded",
    "const key = decoded(at < 0 ? pairs[i] : pairs[i].slice(0, at));",
    "const key = pairs[i].slice(0, at);",
  ),
  script("a mount needs a pull", "|| puller(r.variables.identity)(source)", ""),
  script("the catalog names what one may pull", "page.filter(mayPull)", "page"),
  script("a rule that grants nothing decides too", "'(?:' : '(?='", "'(?:' : '(?:'"),
  script("the next page begins behind a shown name", "shown[shown.length - 1]", "last"),
  script("a query is no part of what is deleted", ".split('?')[0]", ""),
  script("a user is no group for the script", "i === 1 ? `,${name},` : `,group:${name},`", "`,${name},`"),
  script("layers of immutable tags stay", "if (parts[2] === 'blobs') {", "if (false) {"),
  script("immutable tags stay", "&& immutable.test(reference)", "&& false"),
  script("parts of an index stay", ".manifests || []", ".none || []"),
  script("digests of immutable tags stay", /if \(await belongsTo\(.*\) \{/, "if (false) {"),
];
