import { setTimeout as sleep } from "node:timers/promises";
import { includes, isAnyPublic, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { type Config, publicUrls } from "../config/resolve.js";
import { secondsOf } from "../config/text.js";
import { basicAuthorization, type Login } from "../credentials/userLogin.js";
import { interrupted } from "../docker/run.js";
import { askAuthelia } from "./autheliaAnswers.js";
import { type Fault, type FrontDoorAnswer, type Get, PROBE, type Question } from "./frontDoorQuestion.js";
import { NoAnswer, networkFault } from "./networkFaults.js";
import { uiQuestions } from "./uiQuestions.js";

export interface Logins {
  /** Has to be let in. */
  login?: Login | undefined;
  /** Has to be refused. */
  former?: Login | undefined;
}

/** Seconds for which the gateway may remember the registry's answer about a password, and some more. */
const memorySeconds = ({ gateway }: Config): number => secondsOf(gateway.remember) + 10;

/** Whether a client gets a token that names nobody: where some repository may be pulled without a login. */
export const givesAnonymousTokens = (config: Config): boolean => isAnyPublic(repositoryRules(config));

/**
 * Asks the registry and the UI through their front door.
 *
 * @param logins checked when given; a kept password is not known to this run. They are the htpasswd's, so the gateway does
 *   not know them where only Authelia knows the users
 * @param patienceSeconds how long a wrong answer may be asked again: Traefik needs seconds to see a new service
 * @param signal ends the questions at once when it aborts
 * @throws OperatorError when it was interrupted
 */
export async function verifyFrontDoor(
  config: Config,
  logins: Logins,
  patienceSeconds: number,
  signal?: AbortSignal,
): Promise<FrontDoorAnswer[]> {
  const start = Date.now();
  const checks: FrontDoorAnswer[] = [];
  const get: Get = (url, init = {}) => fetchOnce(url, init, signal);
  try {
    for (const { id, title, ask, patience = 0 } of questions(config, logins, get)) {
      const end = start + Math.max(patienceSeconds, patience) * 1000;
      let answered = await answer(ask, signal);
      // A rollout does not mend Authelia, and each login that it does not judge takes the place of another.
      while (answered.fault !== undefined && !answered.authelia && Date.now() < end) {
        // Wrong passwords are counted: not more often than they may be tried.
        await sleep(patience > 0 ? 4000 : 1000, undefined, { signal });
        answered = await answer(ask, signal);
      }
      checks.push({ id, title, ...answered });
    }
  } catch (error) {
    throw signal?.aborted ? interrupted() : error;
  }
  return checks;
}

function questions(config: Config, logins: Logins, get: Get): Question[] {
  const urls = publicUrls(config);
  const tokenUrl = `${urls.registry}/auth/token`;
  const { login, former }: Logins = config.users.provider === "authelia" ? {} : logins;
  const { pull } = ruleOf(repositoryRules(config), PROBE);
  const isPublic = pull === "anonymous";
  const reader = !isPublic && login && includes(pull, login) ? login : undefined;
  const list: Question[] = [
    {
      id: "challenge",
      title: "anonymous /v2/ gives the challenge",
      ask: async () => {
        const { status, headers } = await get(`${urls.registry}/v2/`);
        const challenge = headers.get("www-authenticate") ?? "none";
        if (status === 401 && challenge.includes(`realm="${tokenUrl}"`)) return undefined;
        return { fault: `${urls.registry}/v2/ answered ${status} with the challenge ${challenge}`, status };
      },
    },
    {
      id: "anonymous-token",
      title: "anonymous tokens are as configured",
      ask: () => expectStatus(get, tokenUrl, givesAnonymousTokens(config) ? 200 : 401),
    },
    {
      id: "anonymous-write",
      title: "nobody writes without a login",
      ask: () => askWrite(get, `${urls.registry}/v2/${PROBE}/blobs/uploads/`),
    },
  ];
  if (isPublic || reader)
    list.push({
      id: "storage",
      title: "the storage answers",
      ask: () => askStorage(get, `${urls.registry}/v2/${PROBE}/tags/list`, reader),
    });
  if (!isPublic)
    list.push({
      id: "anonymous-read",
      title: "nobody reads without a login",
      ask: () => expectStatus(get, `${urls.registry}/v2/${PROBE}/tags/list`, 401),
    });
  if (login)
    list.push({
      id: "login",
      title: `login as ${login.user}`,
      ask: () => askLogin(get, urls.registry, tokenUrl, login),
      // It may have been tried before it was valid.
      patience: memorySeconds(config),
    });
  if (former)
    list.push({
      id: "former-login",
      title: `the old password of ${former.user} is refused`,
      ask: () => askRefusal(get, tokenUrl, former),
      patience: memorySeconds(config),
    });
  if (config.users.provider !== "htpasswd")
    list.push({ id: "authelia", title: "Authelia judges logins", ask: () => askAuthelia(get, tokenUrl) });
  return [...list, ...uiQuestions(config, get)];
}

async function expectStatus(get: Get, url: string, wanted: number): Promise<Fault | undefined> {
  const { status } = await get(url);
  return status === wanted ? undefined : { fault: `${url} answered ${status} instead of ${wanted}`, status };
}

/** Asks for a repository that does not exist. The answer is 404 if the storage works. A wrong login is reported by another question. */
async function askStorage(get: Get, url: string, login: Login | undefined): Promise<Fault | undefined> {
  const headers = login ? { authorization: basicAuthorization(login) } : {};
  const { status } = await get(url, { headers });
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

async function askLogin(
  get: Get,
  registryUrl: string,
  tokenUrl: string,
  login: Login,
): Promise<Fault | undefined> {
  const { user } = login;
  const answered = await get(tokenUrl, { headers: { authorization: basicAuthorization(login) } });
  if (answered.status === 401)
    return { fault: `the password of ${user} is not the one that the registry knows`, status: 401 };
  if (answered.status !== 200)
    return { fault: `${tokenUrl} answered ${answered.status}`, status: answered.status };
  const { token } = (await answered.json()) as { token: string };
  const { status } = await get(`${registryUrl}/v2/`, { headers: { authorization: `Bearer ${token}` } });
  return status === 200 ? undefined : { fault: `the token of ${user} was answered ${status}`, status };
}

async function askRefusal(get: Get, tokenUrl: string, former: Login): Promise<Fault | undefined> {
  const { status } = await get(tokenUrl, { headers: { authorization: basicAuthorization(former) } });
  if (status === 401) return undefined;
  return { fault: `${tokenUrl} answered ${status} to the old password of ${former.user}`, status };
}

function fetchOnce(url: string, init: RequestInit, signal: AbortSignal | undefined): Promise<Response> {
  const timeout = AbortSignal.timeout(15_000);
  const either = signal ? AbortSignal.any([timeout, signal]) : timeout;
  return fetch(url, { redirect: "manual", signal: either, ...init }).catch((error) => {
    throw new NoAnswer(url, error);
  });
}

/** Faults of the network in words. */
async function answer(
  ask: () => Promise<Fault | undefined>,
  signal: AbortSignal | undefined,
): Promise<Fault> {
  try {
    return (await ask()) ?? { fault: undefined };
  } catch (error) {
    if (signal?.aborted) throw error;
    return networkFault(error);
  }
}
