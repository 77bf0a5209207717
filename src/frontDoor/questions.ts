import { z } from "zod";
import { hasRules, includes, isAnyPublic, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { basicAuthorization, type Login } from "../credentials/userLogin.js";
import { readJson } from "../json.js";

/** Authelia does not answer, or its rules suit no user of the host. */
export type AutheliaFault = "silent" | "refuses";

/** How each fault is fixed. */
export const AUTHELIA_REMEDIES: Readonly<Record<AutheliaFault, string>> = {
  silent: "See that Authelia runs, and that authelia.url and authelia.middleware reach it.",
  refuses:
    "Put the rendered authelia/access_control.yml into Authelia's configuration, before other rules for these hosts; they must lie below the domain of one of its session.cookies.",
};

/** What is asked. */
type QuestionId =
  | "challenge"
  | "anonymous-token"
  | "anonymous-read"
  | "anonymous-write"
  | "storage"
  | "login"
  | "former-login"
  | "library"
  | "library-catalog"
  | "library-write"
  | "admin"
  | "authelia";

/** One question to the running stack, asked from outside. */
export interface FrontDoorAnswer {
  id: QuestionId;
  title: string;
  /** What was wrong, undefined when the answer was right. */
  fault: string | undefined;
  /** The status of a wrong answer. */
  status?: number | undefined;
  /** Node's code for why there was no answer: ENOTFOUND, ECONNREFUSED, … */
  code?: string | undefined;
  /** Where it is Authelia's: it does not answer, or its rules do not suit the host. */
  authelia?: AutheliaFault | undefined;
}

/** What is wrong with an answer. */
export type Fault = Omit<FrontDoorAnswer, "id" | "title">;

/** One request, bounded in time. */
export type Get = (url: string, init?: RequestInit) => Promise<Response>;

export interface Question {
  id: QuestionId;
  title: string;
  ask: () => Promise<Fault | undefined>;
  /** Seconds that a right answer may take longer than others. */
  patience?: number;
}

export interface Logins {
  /** Has to be let in. */
  login?: Login | undefined;
  /** Has to be refused. */
  former?: Login | undefined;
}

/** A name that no repository has: the probes ask for it, and none of them writes. */
const PROBE = "hephaestus-probe";

/** Whether a client gets a token that names nobody: where some repository may be pulled without a login. */
export const givesAnonymousTokens = (config: Config): boolean => isAnyPublic(repositoryRules(config));

/** What is asked for a config, in this order. */
export function questions(config: Config, logins: Logins, get: Get): Question[] {
  const { registry, ui, admin } = publicUrls(config);
  const tokenUrl = `${registry}/auth/token`;
  const { login, former }: Logins = config.users.provider === "authelia" ? {} : logins;
  const { pull } = ruleOf(repositoryRules(config), PROBE);
  const isPublic = pull === "anonymous";
  const reader = !isPublic && login && includes(pull, login) ? login : undefined;
  // Seconds for which the gateway may remember the registry's answer about a password, and some more.
  const patience = secondsOf(config.gateway.remember) + 10;
  const list: Question[] = [
    { id: "challenge", title: "anonymous /v2/ gives the challenge", ask: () => askChallenge(get, registry) },
    {
      id: "anonymous-token",
      title: "anonymous tokens are as configured",
      ask: () => expectStatus(get, tokenUrl, givesAnonymousTokens(config) ? 200 : 401),
    },
    {
      id: "anonymous-write",
      title: "nobody writes without a login",
      ask: () => askWrite(get, `${registry}/v2/${PROBE}/blobs/uploads/`),
    },
  ];
  const tags = `${registry}/v2/${PROBE}/tags/list`;
  if (isPublic || reader)
    list.push({ id: "storage", title: "the storage answers", ask: () => askStorage(get, tags, reader) });
  if (!isPublic)
    list.push({
      id: "anonymous-read",
      title: "nobody reads without a login",
      ask: () => expectStatus(get, tags, 401),
    });
  // A password may have been tried before it was valid, and the old one before it was not.
  if (login)
    list.push({
      id: "login",
      title: `login as ${login.user}`,
      ask: () => askLogin(get, registry, tokenUrl, login),
      patience,
    });
  if (former)
    list.push({
      id: "former-login",
      title: `the old password of ${former.user} is refused`,
      ask: () => askRefusal(get, tokenUrl, former),
      patience,
    });
  if (config.users.provider !== "htpasswd")
    list.push({ id: "authelia", title: "Authelia judges logins", ask: () => askAuthelia(get, tokenUrl) });
  const isBehindAuthelia = config.ui.access === "sso";
  if (ui !== undefined)
    list.push(
      {
        id: "library",
        title: "the UI answers",
        ask: () => (isBehindAuthelia ? askForLogin(get, ui) : expectStatus(get, ui, 200)),
      },
      { id: "library-write", title: "the UI changes nothing", ask: () => askUiToWrite(get, ui) },
    );
  if (ui !== undefined && !isBehindAuthelia)
    list.push({
      id: "library-catalog",
      title: "the UI lists the repositories",
      ask: () => askForCatalog(get, ui, config),
    });
  if (admin !== undefined)
    list.push({ id: "admin", title: "the admin UI asks for a login", ask: () => askForLogin(get, admin) });
  return list;
}

const authorized = (login: Login): RequestInit => ({ headers: { authorization: basicAuthorization(login) } });

async function expectStatus(get: Get, url: string, wanted: number): Promise<Fault | undefined> {
  const { status } = await get(url);
  return status === wanted ? undefined : { fault: `${url} answered ${status} instead of ${wanted}`, status };
}

async function askChallenge(get: Get, registry: string): Promise<Fault | undefined> {
  const { status, headers } = await get(`${registry}/v2/`);
  const challenge = headers.get("www-authenticate") ?? "none";
  if (status === 401 && challenge.includes(`realm="${registry}/auth/token"`)) return undefined;
  return { fault: `${registry}/v2/ answered ${status} with the challenge ${challenge}`, status };
}

/**
 * Asks for a repository that does not exist. The answer is 404 if the storage works. A wrong login is
 * reported by another question.
 */
async function askStorage(get: Get, url: string, login: Login | undefined): Promise<Fault | undefined> {
  const { status } = await get(url, login && authorized(login));
  if (status === 404 || status === 200 || (login && status === 401)) return undefined;
  return { fault: `the storage does not answer: ${url} was answered ${status}`, status };
}

/** Begins an upload without a login. Where that is let through, the upload is given up again. */
async function askWrite(get: Get, url: string): Promise<Fault | undefined> {
  const { status, headers } = await get(url, { method: "POST" });
  const upload = headers.get("location");
  if (status === 202 && upload !== null)
    await get(new URL(upload, url).href, { method: "DELETE" }).catch(() => undefined);
  if (status === 401) return undefined;
  return { fault: `an upload without a login was answered ${status} instead of 401`, status };
}

const tokenSchema = z.object({ token: z.string() });

async function askLogin(
  get: Get,
  registry: string,
  tokenUrl: string,
  login: Login,
): Promise<Fault | undefined> {
  const { user } = login;
  const answered = await get(tokenUrl, authorized(login));
  if (answered.status === 401)
    return { fault: `the password of ${user} is not the one that the registry knows`, status: 401 };
  if (answered.status !== 200)
    return { fault: `${tokenUrl} answered ${answered.status}`, status: answered.status };
  const token = readJson(tokenSchema, new Uint8Array(await answered.arrayBuffer()))?.token;
  if (token === undefined) return { fault: `${tokenUrl} answered without a token`, status: 200 };
  const { status } = await get(`${registry}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  return status === 200 ? undefined : { fault: `the token of ${user} was answered ${status}`, status };
}

async function askRefusal(get: Get, tokenUrl: string, former: Login): Promise<Fault | undefined> {
  const { status } = await get(tokenUrl, authorized(former));
  if (status === 401) return undefined;
  return { fault: `${tokenUrl} answered ${status} to the old password of ${former.user}`, status };
}

/**
 * A user without a password: Authelia refuses it without asking its backend, and counts no attempt. Source:
 * authelia, handler_authz_authn.go.
 */
const NOBODY = `Basic ${Buffer.from("nobody:").toString("base64")}`;

/** Asks the gateway about a login that Authelia has to refuse. */
async function askAuthelia(get: Get, tokenUrl: string): Promise<Fault | undefined> {
  const response = await get(tokenUrl, { headers: { authorization: NOBODY } });
  const { status } = response;
  // 429 is the gateway's limit for wrong passwords: Authelia was not asked.
  if (status === 401 || status === 429) return undefined;
  const [, message] = /"message":"([^"]*)"/.exec(await response.text()) ?? [];
  if (!message?.startsWith("Authelia "))
    return { fault: `${tokenUrl} answered ${status} instead of 401`, status };
  const authelia = message.startsWith("Authelia does not answer") ? "silent" : "refuses";
  return { fault: `${tokenUrl} answered ${status}: ${message}`, status, authelia };
}

/**
 * Whether a UI behind Authelia asks for a login. Traefik asks Authelia before anything else, so what is
 * neither a login nor Traefik's 404 is Authelia's answer, or that there was none. Source: traefik,
 * pkg/middlewares/auth/forward.go.
 */
export async function askForLogin(get: Get, url: string): Promise<Fault | undefined> {
  const { status } = await get(url);
  if ([302, 303, 401].includes(status)) return undefined;
  const told = `${url} answered ${status}`;
  if (status === 403)
    return { fault: `${told}: Authelia denies this host to everybody`, status, authelia: "refuses" };
  if (status === 400)
    return { fault: `${told}: Authelia has no session.cookies for this host`, status, authelia: "refuses" };
  if (status >= 500)
    return { fault: `${told}: Traefik gets no answer of Authelia`, status, authelia: "silent" };
  return { fault: `${told} instead of asking for a login`, status };
}

/** Whether a library lists the repositories; with rules that open none, the gateway refuses to list them. */
async function askForCatalog(get: Get, url: string, config: Config): Promise<Fault | undefined> {
  const catalog = `${url}/v2/_catalog?n=1`;
  const wanted = hasRules(config) && !givesAnonymousTokens(config) ? 401 : 200;
  const answered = await get(catalog);
  const { status } = answered;
  if (status !== wanted) return { fault: `${catalog} answered ${status} instead of ${wanted}`, status };
  if (status !== 200 || /"repositories"/.test(await answered.text())) return undefined;
  return { fault: `${catalog} answered with no list of repositories`, status };
}

async function askUiToWrite(get: Get, url: string): Promise<Fault | undefined> {
  const { status } = await get(`${url}/v2/${PROBE}/manifests/none`, { method: "DELETE" });
  return status >= 300 ? undefined : { fault: `a DELETE through the UI was answered ${status}`, status };
}
