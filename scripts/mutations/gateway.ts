import type { Mutation, Subject } from "./mutation.js";

/** A module of the gateway's program, and the unit tests that run it. */
const program = (name: string, tests: readonly string[], mutations: readonly Mutation[]): Subject => ({
  file: `src/services/gateway/program/${name}.ts`,
  tests: tests.map((test) => `gateway/${test}.test.ts`),
  mutations,
});

/** The program that decides about each request. */
export const GATEWAY: readonly Subject[] = [
  program(
    "request",
    ["paths", "decisions", "mounts"],
    [
      { what: 'query.includes("#") || ', by: "", rule: "a # names nothing" },
      { what: ' || query.includes("%00")', by: "", rule: "a NUL names nothing" },
      { what: "name.length <= LONGEST_NAME &&", by: "", rule: "a name has an end" },
      { what: "&& NAME.test(name)", by: "", rule: "a repository has one spelling" },
      {
        what: 'reads: reads && kind !== "uploads",',
        by: "reads,",
        rule: "the state of an upload is no read",
      },
      { what: 'last.replace(/%3a/i, ":")', by: "last", rule: "the colon of a digest may be encoded" },
      {
        what: "&& TAG.test(reference))) return undefined;",
        by: ")) return undefined;",
        rule: "a tag has a form",
      },
      { what: '!(before === "manifests" &&', by: "!(", rule: "only manifests have tags" },
      {
        what: 'if (kind === "uploads") return "push";',
        by: "",
        rule: "an upload is a push, whatever the method",
      },
      { what: 'if (isRead(method)) return "pull";', by: "", rule: "a read is a pull" },
      { what: '? "delete" : "push";', by: '? "pull" : "push";', rule: "a deletion is a delete" },
      { what: 'operation: reads ? what : "other",', by: "operation: what,", rule: "a login is a read" },
      {
        what: "|| found.has(key)) return undefined;",
        by: ") return undefined;",
        rule: "a parameter that stands twice is not clear",
      },
      { what: '|| pair.includes(";")', by: "", rule: "a semicolon is not clear" },
      { what: 'text.replaceAll("+", " ")', by: "text", rule: "a plus is a space" },
    ],
  ),
  program(
    "claim",
    ["decisions", "tokens"],
    [
      {
        what: "if (text === ANONYMOUS_TOKEN)",
        by: "if (text !== undefined)",
        rule: "the anonymous token is one",
      },
      {
        what: 'token === undefined ? { kind: "invalid" }',
        by: 'token === undefined ? { kind: "none" }',
        rule: "nonsense is no absence",
      },
      { what: "+=*)$/i.exec", by: "+=*)/i.exec", rule: "a credential is the whole header" },
      { what: "/^Basic +(", by: "/^(?:Basic|Bearer) +(", rule: "a credential is no token" },
    ],
  ),
  program(
    "tokens",
    ["tokens"],
    [
      {
        what: "if (!isSame(given, mac(key, payload))) return undefined;",
        by: 'if (given === "") return undefined;',
        rule: "a token is signed",
      },
      {
        what: "let difference = a.length ^ b.length;",
        by: "let difference = 0;",
        rule: "a MAC has its length",
      },
      { what: "difference |= a.charCodeAt", by: "difference = a.charCodeAt", rule: "each character counts" },
      {
        what: "const key = mac(secret, PURPOSE);",
        by: "const key = PURPOSE;",
        rule: "each stack has its key",
      },
      { what: "/^([\\w-]+)\\.", by: "/([\\w-]+)\\.", rule: "nothing stands before a token" },
      { what: "\\.([\\w-]+)$/", by: "\\.([\\w-]+)/", rule: "nothing stands behind a token" },
      { what: "age < seconds + WAY_SECONDS", by: "age <= seconds + WAY_SECONDS", rule: "a token ends" },
      { what: "age >= -APART_SECONDS && ", by: "", rule: "a token is not of tomorrow" },
    ],
  ),
  program(
    "client",
    ["users"],
    [
      { what: ".slice(0, 4)", by: ".slice(0, 8)", rule: "a network of IPv6 has 64 bits" },
      {
        what: "if (!isProxy || forwarded === undefined)",
        by: "if (forwarded === undefined)",
        rule: "only a trusted proxy is believed",
      },
      { what: ".slice(0, -1).at(-1)", by: ".at(0)", rule: "the last proxy is believed, and no client" },
      {
        what: "while (groups.length + rest.length < 8) ",
        by: "if (groups.length + rest.length < 8) ",
        rule: "zeros that are left out count",
      },
    ],
  ),
  program(
    "person",
    ["accounts", "decisions", "catalog"],
    [
      {
        what: "if (user === TEMPORARY_USER)",
        by: "if (user.toLowerCase() === TEMPORARY_USER)",
        rule: "reserved names are compared exactly",
      },
      {
        what: 'USER_NAME.test(user) ? { kind: "caller"',
        by: 'true ? { kind: "caller"',
        rule: "a reserved name is nobody's in any spelling",
      },
      {
        what: "const UI = /^hephaestus-ui(?:-[0-9]+)?$/;",
        by: "const UI = /^hephaestus-ui/;",
        rule: "an account has one name in each generation",
      },
      {
        what: "&& !isReserved(askedFor)",
        by: "",
        rule: "the admin UI asks for no account of the stack",
        survives: "USER_NAME leaves reserved names out too",
      },
      {
        what: 'person.kind === "ui" && askedFor',
        by: "askedFor",
        rule: "nobody but the admin UI asks for others",
      },
      {
        what: 'if (person.kind === "ui") return operation !== "push";',
        by: 'if (person.kind === "ui") return true;',
        rule: "the admin UI pushes nothing",
      },
      {
        what: 'if (person.kind === "library" && operation !== "pull") return false;',
        by: "",
        rule: "the library only reads",
      },
      {
        what: 'return operation !== "delete" && mirrored',
        by: "return mirrored",
        rule: "the mirror deletes nothing",
      },
      { what: 'return person.kind !== "mirror";', by: "return true;", rule: "the mirror sees no catalog" },
      {
        what: "person.user !== undefined;",
        by: "true;",
        rule: "methods that do nothing need a user",
        survives: "nobody asks before a password is checked",
      },
    ],
  ),
  program(
    "judge",
    ["decisions", "tokens"],
    [
      { what: 'isPublic ? "allow" : "check";', by: '"check";', rule: "a public pull needs no check" },
      { what: 'asked?.operation === "pull" &&', by: "asked !== undefined &&", rule: "only a pull is public" },
      { what: "if (isKnown && isPublic)", by: "if (isKnown)", rule: "anyone pulls what is public alone" },
      {
        what: "if (isKnown && isOpen && asked",
        by: "if (isKnown && asked",
        rule: "a catalog needs a login where nothing is public",
      },
      {
        what: 'claim === "anonymous" && isOpen)',
        by: 'claim === "anonymous")',
        rule: "where nothing is public there is no anonymous token",
      },
      {
        what: 'asked?.operation === "login" ? "allow" : "deny";',
        by: '"deny";',
        rule: "the anonymous token logs in",
      },
      { what: "scopes.length <= 4 &&", by: "", rule: "many scopes are not looked at" },
      { what: 'actions === "pull" &&', by: "", rule: "a scope to push is not public" },
      { what: "rest.length === 0 &&", by: "", rule: "a scope has three parts" },
      { what: "scopes.every((scope)", by: "scopes.some((scope)", rule: "each scope is public" },
      { what: "scopes.length > 0 &&", by: "", rule: "no scope is not public" },
    ],
  ),
  program(
    "checks",
    ["checks", "tokens", "users"],
    [
      {
        what: "if (known !== undefined) return known;\n",
        by: "",
        rule: "who knows an answer does not wait",
        survives: "it is looked for again where somebody waits",
      },
      {
        what: "if (answer !== undefined) return answer;",
        by: "",
        rule: "an answer is remembered",
      },
      { what: "      memory.delete(turn);\n", by: "", rule: "who asked lets others ask" },
      {
        what: '!memory.add(turn, "1", limits.patience * 1000)',
        by: "false",
        rule: "one asks for all",
      },
      {
        what: "if (!wasRight && isExhausted(",
        by: "if (isExhausted(",
        rule: "who was right goes past the limits",
      },
      {
        what: "ask(wasRight ? undefined : isCalm",
        by: "ask(isCalm",
        rule: "who was right waits for no turn",
      },
      { what: "< limits.guessesAtOnce;", by: "< 1e9;", rule: "guesses slow the checks down" },
      {
        what: ">= limits.wrongAtOnce;",
        by: "> limits.wrongAtOnce;",
        rule: "so many wrong passwords are the limit",
      },
      {
        what: 'if (refusal === "wrong") memory.delete(`right ${hash}`);',
        by: "",
        rule: "who is wrong was not right",
      },
      {
        what: "isGuess && !wasRight &&",
        by: "isGuess &&",
        rule: "a password that was right is no guess",
        survives: "one more of ten",
      },
      {
        what: '|| ("isGuess" in answer && answer.isGuess === true)',
        by: "",
        rule: "a guess counts while Authelia is silent",
      },
      {
        what: '&& memory.add(`guess ${hash}`, "1", limits.remember * 1000)',
        by: "",
        rule: "who tries again guesses nothing",
      },
      {
        what: "return of(current) + share * of(current - 1);",
        by: "return of(current);",
        rule: "guesses of the last window count",
        survives: "the test allows for a window more",
      },
      {
        what: 'of: isKnown ? "returning" : "waiting"',
        by: 'of: "waiting"',
        rule: "strangers take no seat of someone who was right",
      },
      { what: "isKnown ? turn : network", by: '"all"', rule: "one user does not take all seats" },
      {
        what: "hashOf(memory, typedName(credential))",
        by: "hash",
        rule: "right passwords of one user take turns",
      },
      {
        what: "&& answer.account.checked < since",
        by: "&& false",
        rule: "a token needs an answer of its own",
      },
      {
        what: '"account" in answer && answer.account.checked < since',
        by: "since > 0",
        rule: "a wrong password is not asked about for each token",
      },
      { what: ".update(credential)", by: '.update("")', rule: "each password has its answer" },
      {
        what: 'const REMEMBERED: readonly Refusal[] = ["wrong", ',
        by: "const REMEMBERED: readonly Refusal[] = [",
        rule: "a wrong password is remembered",
      },
    ],
  ),
  program(
    "users",
    ["users", "checks", "decisions"],
    [
      {
        what: 'if (provider === "authelia" && !isReserved(name))',
        by: 'if (provider === "authelia")',
        rule: "accounts of the stack are the registry's",
      },
      {
        what: '!isUnknown || provider === "htpasswd"',
        by: "!isUnknown",
        rule: "Authelia is asked where it has users",
      },
      {
        what: 'status >= 400 && status < 500 ? "wrong"',
        by: 'status === 401 ? "wrong"',
        rule: "each form of a guess counts",
      },
      {
        what: "const start = `,${user} `;",
        by: "const start = `${user} `;",
        rule: "an account has an end of its own",
      },
      {
        what: 'if (user === "") return { refusal: "unusable" };',
        by: "",
        rule: "an answer that names nobody lets nobody in",
      },
      {
        what: 'if (!USER_NAME.test(user)) return { refusal: "misnamed" };',
        by: "",
        rule: "a name has a form",
      },
      { what: "if (status < 200 || status > 299)", by: "if (false)", rule: "only 2xx is a yes" },
    ],
  ),
  program(
    "registryFiles",
    ["registryFiles"],
    [
      {
        what: "if (access.realpathSync(path) !== path) return undefined;",
        by: "",
        rule: "no symbolic link is followed",
      },
      { what: "found.isFile() ? found.size : undefined", by: "found.size", rule: "a folder is no file" },
      {
        what: "text.length < LINK_BYTES ? AGAIN : undefined",
        by: "undefined",
        rule: "a link that is being written is read again",
      },
      {
        what: '.digest("hex")}` !== digest) return undefined;',
        by: '.digest("hex")}` !== digest) {}',
        rule: "bytes have their digest",
      },
      {
        what: "isFresh ? undefined : memory.get(digest)",
        by: "memory.get(digest)",
        rule: "what is asked freshly is not remembered",
      },
      { what: "|| !Buffer.from(text).equals(bytes)", by: "", rule: "what is remembered has every byte" },
      {
        what: "size === undefined || size === 0 || !isOneRange",
        by: "size === undefined || !isOneRange",
        rule: "an empty layer is damage",
      },
      {
        what: "if (link !== reference) return link",
        by: "if (link === undefined) return link",
        rule: "a repository has the layer",
      },
      {
        what: "if (revision !== digest) return revision",
        by: "if (revision === undefined) return revision",
        rule: "a repository has the manifest",
      },
      {
        what: 'if (!accepts(headers.Accept ?? "", type)) return undefined;',
        by: "",
        rule: "a client takes the type",
      },
      { what: "schemaVersion !== 2 ||", by: "", rule: "an old schema is the registry's" },
      {
        what: "MANIFEST_TYPES.get(mediaType) === form",
        by: "MANIFEST_TYPES.has(mediaType)",
        rule: "a type fits the content",
      },
      { what: "Number(start) < size &&", by: "", rule: "a part lies in the layer" },
    ],
  ),
  program(
    "places",
    ["decisions", "mounts"],
    [
      { what: "&& keepsDigests", by: "", rule: "where something is deleted no digest is kept" },
      {
        what: 'kind === "manifests" || kind === "blobs") return path;',
        by: 'kind === "blobs") return path;',
        rule: "manifests have no query",
      },
      {
        what: "found === undefined || !mayTake ? path",
        by: "found === undefined ? path",
        rule: "a mount needs a pull",
      },
      { what: "isRepository(from) &&", by: "", rule: "a mount names a repository" },
      {
        what: "found === undefined || !mayTake ? path",
        by: "!mayTake ? path",
        rule: "a query that is not clear is left out",
      },
    ],
  ),
  program(
    "immutable",
    ["immutable"],
    [
      {
        what: 'if (kind === "blobs") return isNeeded;',
        by: "",
        rule: "where tags are immutable no blob is deleted",
      },
      {
        what: "return isImmutable(rule, reference) ? tagIsImmutable(asked) : undefined;",
        by: "return undefined;",
        rule: "an immutable tag is not deleted",
      },
      { what: "own === digest || children", by: "children", rule: "an immutable image stays" },
      { what: "|| children.includes(digest)", by: "", rule: "what an immutable index lists stays" },
      {
        what: "if (!seen.has(child)) waiting.push(child);",
        by: "",
        rule: "what an index within an index lists stays",
      },
      {
        what: "if (reply.status === 404) continue;",
        by: "if (reply.status >= 404) continue;",
        rule: "an answer that is missing allows no deletion",
      },
      {
        what: "if (!/^sha256:[0-9a-f]{64}$/.test(child))",
        by: "if (false)",
        rule: "a manifest makes up no path",
      },
    ],
  ),
  program(
    "bodies",
    ["bodies"],
    [
      { what: "all <= most &&", by: "", rule: "not everybody lets the gateway wait at once" },
      {
        what: "&& ofNetwork <= Math.ceil(most / 3)",
        by: "",
        rule: "one network lets the gateway wait rarely",
      },
      {
        what: 'headers["Transfer-Encoding"] !== undefined ||',
        by: "",
        rule: "a body in pieces is a body",
      },
    ],
  ),
  program(
    "seats",
    ["catalog", "checks"],
    [
      { what: "all > most || ofNetwork", by: "ofNetwork", rule: "not everybody waits at once" },
      { what: "|| ofNetwork > mostOfNetwork", by: "", rule: "one network does not take all seats" },
      { what: "counted(counts, of, network, -1);", by: "", rule: "a seat is given back" },
    ],
  ),
  program(
    "keeping",
    ["keeping", "decisions"],
    [
      { what: 'texts.join(" ")', by: 'texts.slice(1).join(" ")', rule: "each kind of client for itself" },
      { what: "if (key.length > LONGEST_KEY) return result;", by: "", rule: "long addresses are not kept" },
      { what: "if (kept.size >= MOST) kept.clear();", by: "", rule: "few are kept" },
    ],
  ),
  program(
    "catalog",
    ["catalog"],
    [
      { what: "if (mayPull(repository)) ", by: "", rule: "the catalog names what one may pull" },
      {
        what: "names.length <= wanted)",
        by: "names.length < wanted)",
        rule: "a page that is followed by another says so",
      },
      {
        what: "if (names.length > wanted) break;",
        by: "",
        rule: "no more names are judged than a page needs",
      },
      { what: "&& wanted <= MOST", by: "", rule: "a page has no more than so many" },
      {
        what: 'shown.at(-1) ?? ""',
        by: 'names.at(-1) ?? ""',
        rule: "the next page begins behind a shown name",
      },
    ],
  ),
  program(
    "program",
    ["decisions", "tokens", "mounts", "immutable", "catalog"],
    [
      { what: 'if (!path.startsWith("/v2/")) return answers.NOT_FOUND;', by: "", rule: "the API is at /v2/" },
      { what: "account.end <= today", by: "account.end < today", rule: "an account ends on its day" },
      {
        what: 'if (claim.kind !== "user" || "token" in claim)',
        by: 'if (claim.kind === "none" || "token" in claim)',
        rule: "only users get tokens",
      },
      { what: '|| "token" in claim)', by: ")", rule: "a token gives no other one" },
      { what: "shared.now() - TOGETHER_MS", by: "0", rule: "a token needs a check" },
      {
        what: "groups: groupsIn(rules, account.groups)",
        by: "groups: account.groups",
        rule: "a token has few groups",
      },
      { what: "text.length > LONGEST_TOKEN", by: "false", rule: "a token has room in a header" },
      {
        what: 'opened === undefined || "refusal" in opened',
        by: "false",
        rule: "no token is given that has ended",
      },
      { what: "if (!isRead(r.method)) return answers.TOKENS_BY_GET;", by: "", rule: "tokens are for GET" },
      {
        what: "r.headersIn.Host === inside",
        by: "r.headersIn.Host !== undefined",
        rule: "nobody decides the address",
      },
      {
        what: 'if (asked.operation === "delete" && !settings.delete)',
        by: "if (false)",
        rule: "where nothing is deleted nothing is",
      },
      {
        what: "return permits(person, asked, rightsOf, settings.mirrored)\n      ?",
        by: "return true\n      ?",
        rule: "what is not permitted is refused",
      },
      {
        what: 'r.method === "POST" ? "application/octet-stream"',
        by: 'r.method === "" ? "application/octet-stream"',
        rule: "a form is no query",
      },
      {
        what: "if (!isTag || !isImmutable",
        by: "if (!isImmutable",
        rule: "a digest is no tag",
        survives: "no glob of a tag matches a digest",
      },
      {
        what: "if (status !== 200 || !isDigest(digest))",
        by: "if (status !== 200)",
        rule: "the registry makes up no path",
      },
      { what: 'if (status === 404) return { place: "@writes" };', by: "", rule: "a new tag is pushed" },
      {
        what: 'asked.operation === "catalog" && rules.length > 1',
        by: 'asked.operation === "catalog" && false',
        rule: "the catalog is filtered",
      },
    ],
  ),
];
