import { groupsIn, isAnyPublic, isImmutable, rightsBy } from "../../../access/repositoryRules.js";
import { actionOf, repositoryIn } from "../../accessActions.js";
import * as answers from "./answers.js";
import { hasBody, leavePlace, takePlace, type Unread } from "./bodies.js";
import { CATALOG_SEATS, catalog } from "./catalog.js";
import { type Account, type CheckAround, check, isExhausted } from "./checks.js";
import { ANONYMOUS_TOKEN, type Claim, claimOf, type UserClaim } from "./claim.js";
import { clientAddress, networkOf } from "./client.js";
import { type Ask, tagIsImmutable, whyKept } from "./immutable.js";
import { isPublicScope, judge } from "./judge.js";
import { keeping } from "./keeping.js";
import type { Memory, NginxRequest } from "./nginx.js";
import { ANYONE, nameInLog, type Person, permits, personOf } from "./person.js";
import { acceptedTypes, type Place, placeOfRead, sentAddress } from "./places.js";
import { AGAIN, type FileAccess, filesOf } from "./registryFiles.js";
import { type Asked, isDigest, isRead, parse, splitQuery } from "./request.js";
import { seated } from "./seats.js";
import type { Settings } from "./settings.js";
import { LONGEST_TOKEN, tokensOf } from "./tokens.js";
import { askUsers } from "./users.js";

/** What the program shares between requests, and the clock. */
export interface Shared extends Pick<CheckAround, "memory" | "counts" | "now" | "sleep"> {
  /** What all gateways of the stack know. */
  secret: string;
  files: FileAccess;
  /** Manifests that were read from the files of the registry. */
  manifests: Memory<string>;
}

type Outcome = answers.Answer | { place: Place };

/** Who asks for tokens within so long shares one check of the password. */
const TOGETHER_MS = 1000;
/** The token that means nobody never ends. */
const ANONYMOUS = answers.tokenAnswer(ANONYMOUS_TOKEN, 300);
/** How often the program looks at a file that is being written, and with what pause. */
const MOST_LOOKS = 6;
const LOOK_MS = 10;

/** nginx closes the connection without an answer. Source: nginx.org, ngx_http_rewrite_module, "return". */
const CLOSE = 444;

export interface Handlers {
  /** Decides about a request of a client: it answers, or names the place of nginx.conf that does. */
  access: (r: NginxRequest) => Promise<void>;
  /** Stops a check whose network has sent too many wrong passwords while it waited for its turn. */
  turn: (r: NginxRequest) => void;
  /** Answers a read for which nginx has no place. */
  busy: (r: NginxRequest) => void;
  /** Answers the probe of the task, so that a gateway whose program cannot start is never healthy. */
  health: (r: NginxRequest) => void;
  /** Called when a request has ended that took a place. @returns what is logged of it: nothing */
  ended: (r: NginxRequest) => string;
}

export function gateway(settings: Settings, shared: Shared): Handlers {
  const { rules } = settings;
  const rightsOf = rightsBy(rules);
  const isOpen = isAnyPublic(rules);
  const tokens = tokensOf(shared.secret, settings.tokenSeconds, shared.now);
  const { storage } = settings;
  const readFiles = storage === undefined ? undefined : filesOf(shared.files, storage, shared.manifests);
  const mayPull = (person: Person, repository: string): boolean =>
    permits(person, { operation: "pull", repository }, rightsOf, settings.mirrored);

  /** What a request asks for, and what becomes of it before any password is checked. */
  const looked = keeping((kind, method, uri) => {
    const written = splitQuery(uri);
    const asked = parse(method, written);
    const verdict = judge(isOpen, rightsOf, kind as Claim["kind"], asked, isRead(method));
    return { ...written, asked, verdict };
  });

  /** The address that a client knows. */
  function addressFor(r: NginxRequest): answers.Address {
    const { scheme, authority, inside } = settings.address;
    return inside !== undefined && r.headersIn.Host === inside
      ? { scheme: "http", authority: inside }
      : { scheme, authority };
  }

  /**
   * Someone whose password is right and who has not ended, or what they read.
   *
   * @param since when a password must have been found right
   */
  async function accountOf(
    r: NginxRequest,
    claim: UserClaim,
    since?: number,
  ): Promise<{ account: Account } | { refusal: "wrong" } | answers.Answer> {
    const checked = "token" in claim ? claim.token : await checkOf(r, claim.credential, since);
    if ("refusal" in checked)
      return checked.refusal === "wrong"
        ? { refusal: "wrong" }
        : answers.refusalAnswer(checked.refusal, addressFor(r));
    const { account } = checked;
    r.variables.person = nameInLog(account, personOf(account), r.headersIn["Remote-User"]);
    return account.end !== undefined && account.end <= today()
      ? answers.ended(account.user, account.end)
      : { account };
  }

  const today = (): number => Number(new Date(shared.now()).toISOString().slice(0, 10).replaceAll("-", ""));

  const checkOf = (r: NginxRequest, credential: string, since?: number) =>
    check(
      { ...shared, ask: (lane) => askUsers(r, settings.provider, credential, lane) },
      settings.limits,
      credential,
      r.variables.network ?? "",
      since,
    );

  async function token(r: NginxRequest, claim: Claim, query: string): Promise<answers.Answer> {
    if (!isRead(r.method)) return answers.TOKENS_BY_GET;
    // For any scope: Docker's command asks for push and crane for the catalog where they only read. Writing
    // needs a user.
    if (claim.kind === "none" && isOpen) return ANONYMOUS;
    // A token gives no other one: it would never end.
    if (claim.kind !== "user" || "token" in claim) return answers.passwordChallenge(addressFor(r), false);
    // Nobody checks the password: the token pulls what anyone may pull, and nothing else.
    if (isPublicScope(query, rightsOf)) return ANONYMOUS;
    const found = await accountOf(r, claim, shared.now() - TOGETHER_MS);
    if ("refusal" in found) return answers.passwordChallenge(addressFor(r), true);
    if (!("account" in found)) return found;
    const { account } = found;
    const text = tokens.sign({ ...account, groups: groupsIn(rules, account.groups) });
    if (text.length > LONGEST_TOKEN) return answers.tooManyGroups(account.user);
    // While nobody can say, the answer that is remembered may be older than a token may be.
    const opened = tokens.open(text);
    if (opened === undefined || "refusal" in opened) return answers.UNAVAILABLE;
    return answers.tokenAnswer(text, settings.tokenSeconds);
  }

  async function decide(r: NginxRequest): Promise<Outcome> {
    const uri = r.variables.request_uri ?? "";
    const claim = claimOf(r.headersIn.Authorization, tokens.open);
    const { path, query, asked, verdict } = looked(claim.kind, r.method, uri);
    if (path === "/auth/token") return token(r, claim, query);
    if (path === "/v2") return answers.moved(301, "/v2/");
    if (path === "/" && settings.ui !== undefined) return answers.moved(302, settings.ui);
    if (!path.startsWith("/v2/")) return answers.NOT_FOUND;
    if (verdict === "deny") return answers.logInFirst(addressFor(r));
    if (verdict === "challenge") return answers.challenge(addressFor(r), false);
    if (verdict === "unknown" || asked === undefined) return answers.NO_SUCH_PATH;
    if (verdict === "allow") return served(r, asked, claim, ANYONE);
    if (claim.kind !== "user") return answers.challenge(addressFor(r), false);
    const found = await accountOf(r, claim);
    if ("refusal" in found) return answers.challenge(addressFor(r), true);
    if (!("account" in found)) return found;
    const person = personOf(found.account);
    return permits(person, asked, rightsOf, settings.mirrored)
      ? served(r, asked, claim, person)
      : answers.mayNot(found.account.user, asked.operation, asked.repository);
  }

  /** What becomes of a request that is permitted. */
  async function served(r: NginxRequest, asked: Asked, claim: Claim, person: Person): Promise<Outcome> {
    if (asked.operation === "delete" && !settings.delete) return answers.NO_DELETES;
    if (asked.operation === "catalog" && rules.length > 1) {
      const list = () =>
        catalog(
          asked.query,
          (repository) => mayPull(person, repository),
          (args) => r.subrequest("/catalog", { method: "GET", args }),
        );
      const network = r.variables.network ?? "";
      return (await seated(shared.counts, CATALOG_SEATS, network, list)) ?? answers.BUSY;
    }
    r.variables.sent = sentAddress(asked, r.method, person, rightsOf);
    if (asked.reads) {
      // A user's HEAD decides what a push leaves out, so nothing that is remembered answers it.
      const isFresh = r.method === "HEAD" && claim.kind === "user";
      let outcome = read(r, asked, isFresh);
      for (let look = 1; outcome === AGAIN && look < MOST_LOOKS; look++) {
        await shared.sleep(LOOK_MS);
        outcome = read(r, asked, isFresh);
      }
      return outcome === AGAIN ? { place: "@reads" } : outcome;
    }
    // A form in the body of a request would count like its query.
    r.variables.sent_type =
      r.method === "POST" ? "application/octet-stream" : (r.headersIn["Content-Type"] ?? "");
    return asked.repository === "" ? { place: "@writes" } : written(r, asked);
  }

  /** What answers a read; AGAIN while the registry writes a link that it needs. */
  function read(r: NginxRequest, asked: Asked, isFresh: boolean): Outcome | typeof AGAIN {
    if (readFiles === undefined) {
      r.variables.accepted = acceptedTypes(r.headersIn.Accept ?? "");
      return { place: placeOfRead(asked, isFresh, !settings.delete) };
    }
    const found = readFiles(asked, r.headersIn, isFresh);
    if (found === undefined) return { place: "@reads" };
    if (found === AGAIN || !("file" in found)) return found;
    r.variables.file = found.file;
    r.variables.digest = found.digest;
    // nginx takes the header out of a part, where the registry has it.
    if (r.headersIn.Range !== undefined) r.variables.ranges = "bytes";
    return { place: "@files" };
  }

  /** A write, where an immutable tag may stand in its way. */
  async function written(r: NginxRequest, asked: Asked): Promise<Outcome> {
    const { rule } = rightsOf({}, asked.repository);
    const ask: Ask = (method, path) => r.subrequest(`/registry${path}`, { method });
    if (rule.immutable.length === 0) return { place: "@writes" };
    if (asked.operation === "delete") return (await whyKept(rule, asked, ask)) ?? { place: "@writes" };
    const isTag = asked.kind === "manifests" && !isDigest(asked.reference);
    if (!isTag || !isImmutable(rule, asked.reference)) return { place: "@writes" };
    // By the digest that the tag has already, the registry takes the same content alone. Two pushes of a new
    // tag at the same moment both find that it does not exist: the later one decides, and then it stays.
    const { status, headersOut } = await ask("HEAD", asked.path);
    if (status === 404) return { place: "@writes" };
    const digest = headersOut["Docker-Content-Digest"] ?? "";
    if (status !== 200 || !isDigest(digest)) return answers.UNAVAILABLE;
    r.variables.sent = `/v2/${asked.repository}/manifests/${digest}`;
    r.variables.refusal = tagIsImmutable(asked).body;
    return { place: "@immutable" };
  }

  /** @param unread the place that the request takes */
  function finish(r: NginxRequest, outcome: Outcome, unread: Unread | undefined): void {
    if (unread !== undefined) {
      r.variables.unread = unread;
      if (!takePlace(shared.counts, unread, settings.unread, r.variables.network ?? "")) {
        r.return(CLOSE);
        return;
      }
    }
    try {
      if ("place" in outcome) r.internalRedirect(outcome.place);
      else answers.send(r, outcome);
    } catch (error) {
      // The client has gone meanwhile.
      r.log(`gateway: ${error}`);
    }
  }

  return {
    async access(r) {
      const { variables, headersIn } = r;
      const client = clientAddress(
        variables.remote_addr ?? "",
        variables.before_traefik === "1",
        headersIn["X-Forwarded-For"],
      );
      const address = addressFor(r);
      variables.client = client;
      variables.path = r.uri;
      variables.network = networkOf(client);
      variables.scheme_for_clients = address.scheme;
      variables.authority = address.authority;
      if (settings.namesActions) {
        variables.action = actionOf(r.method, r.uri) ?? "";
        variables.repository = repositoryIn(r.uri) ?? "";
      }
      const outcome = await decide(r).catch((error: unknown): Outcome => {
        r.error(`gateway: ${error}`);
        return answers.UNAVAILABLE;
      });
      const isWrite = "place" in outcome && (outcome.place === "@writes" || outcome.place === "@immutable");
      const unread = !isWrite && hasBody(headersIn) ? "bodies" : "place" in outcome ? undefined : "answers";
      finish(r, outcome, unread);
    },
    health: (r) => r.return(200, "{}"),
    busy: (r) => finish(r, answers.BUSY, r.variables.unread ? undefined : "answers"),
    turn(r) {
      const network = r.headersIn["X-Client-Network"] ?? "";
      if (isExhausted(shared.counts, settings.limits, network, shared.now())) r.return(429, "");
    },
    ended(r) {
      leavePlace(shared.counts, r.variables.unread ?? "", r.variables.network ?? "");
      return "";
    },
  };
}
