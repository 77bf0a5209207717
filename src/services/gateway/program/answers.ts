import type { Refusal } from "./checks.js";
import type { NginxRequest } from "./nginx.js";

/** What the gateway says by itself. */
export interface Answer {
  status: number;
  body: string;
  headers: Readonly<Record<string, string>>;
}

export function send(r: NginxRequest, { status, body, headers }: Answer): void {
  for (const [name, value] of Object.entries(headers)) r.headersOut[name] = value;
  if (status !== 304) {
    r.return(status, body);
    return;
  }
  // It has no body, and so neither its type nor its length.
  r.status = 304;
  r.sendHeader();
  r.finish();
}

const API_VERSION = { "Docker-Distribution-Api-Version": "registry/2.0" };
/** Seconds after which someone who was refused for the load may try again. */
const RETRY_SECONDS = 5;

export const json = (status: number, value: unknown, headers: Answer["headers"] = {}): Answer => ({
  status,
  body: JSON.stringify(value),
  headers: { "Content-Type": "application/json; charset=utf-8", ...headers },
});

/**
 * An error as the distribution specification has it. The message is one of our own: clients take the standard
 * ones for passing faults and retry.
 */
const error = (
  status: number,
  code: string,
  message: string,
  headers: Answer["headers"] = {},
  detail: unknown = null,
): Answer => json(status, { errors: [{ code, message, detail }] }, headers);

/** nginx takes the text of such an answer for the address. */
export const moved = (status: 301 | 302, address: string): Answer => ({ status, body: address, headers: {} });

export const denied = (message: string): Answer => error(403, "DENIED", message);

export const NOT_FOUND = error(404, "NOT_FOUND", "this is a container registry: its API is at /v2/");
export const NO_SUCH_PATH = error(
  404,
  "NAME_INVALID",
  "no repository, tag or digest is written like this",
  API_VERSION,
);

export const UNAVAILABLE = error(503, "UNAVAILABLE", "the registry does not answer, try again");
export const BUSY = error(
  503,
  "UNAVAILABLE",
  "too many requests are in progress, try again in some seconds",
  { "Retry-After": String(RETRY_SECONDS) },
);
export const NO_DELETES = error(
  405,
  "UNSUPPORTED",
  "this registry does not delete: its configuration has registry.delete: false",
  {},
  { reason: "delete-disabled" },
);
/** containerd asks by POST first and takes any answer for its own; 405 makes it ask by GET. */
export const TOKENS_BY_GET = error(405, "UNSUPPORTED", "ask for tokens with GET");

/** @param seconds after which a client asks for another one */
export const tokenAnswer = (token: string, seconds: number): Answer =>
  json(200, { token, access_token: token, expires_in: seconds }, { "Cache-Control": "no-store" });

/** Where clients are sent to. */
export interface Address {
  scheme: string;
  authority: string;
}

const logIn = ({ authority }: Address): string => `log in first: docker login ${authority}`;
const wrongPassword = ({ authority }: Address): string => `wrong user name or password for ${authority}`;

/** Asks a client for a token. */
export const challenge = (address: Address, isUser: boolean): Answer =>
  error(401, "UNAUTHORIZED", isUser ? wrongPassword(address) : logIn(address), {
    "WWW-Authenticate": `Bearer realm="${address.scheme}://${address.authority}/auth/token",service="${address.authority}"`,
    ...API_VERSION,
  });

const askPassword = ({ authority }: Address, message: string): Answer =>
  error(401, "UNAUTHORIZED", message, { "WWW-Authenticate": `Basic realm="${authority}"`, ...API_VERSION });

/** Asks for a password, where tokens come from. */
export const passwordChallenge = (address: Address, isUser: boolean): Answer =>
  askPassword(address, isUser ? wrongPassword(address) : logIn(address));

/**
 * Not 401: with a token that was given for this very scope, some clients would ask for another one for ever.
 */
export const logInFirst = (address: Address): Answer => denied(logIn(address));

/** What a person reads whose password, or token, gives nothing, but for a wrong password. */
export function refusalAnswer(refusal: Exclude<Refusal, "wrong">, address: Address): Answer {
  const { authority } = address;
  const later = { "Retry-After": String(RETRY_SECONDS) };
  switch (refusal) {
    case "denied":
      return denied(`Authelia does not let this account use ${authority}`);
    case "misnamed":
      return denied(`Authelia gives this account a name that no user of ${authority} can have`);
    case "exhausted":
      return error(429, "TOOMANYREQUESTS", "too many wrong passwords from your address, wait a minute");
    case "busy":
      return error(
        429,
        "TOOMANYREQUESTS",
        "too many logins are being checked at the moment, try again in some seconds",
        later,
      );
    case "silent":
      return error(503, "UNAVAILABLE", "Authelia does not answer, so its users cannot log in at the moment");
    case "unusable":
      return error(
        503,
        "UNAVAILABLE",
        `Authelia cannot tell who logs in at ${authority}: its session cookies or access_control do not suit this host`,
      );
    case "unavailable":
      return UNAVAILABLE;
    case "expired":
      // The challenge is for the password itself. containerd before 1.6.25 and 1.7.9 keeps a token for ever: it
      // would send it again after a challenge for a token (containerd#9274). Other clients that can go on fetch
      // another token after any challenge.
      return askPassword(address, `this token for ${authority} has ended, another one is needed`);
  }
}

/** @param end the first day on which the account is refused, such as 20271231 */
export const ended = (user: string, end: number): Answer =>
  denied(`the account ${user} ended on ${String(end).replace(/^(....)(..)(..)$/, "$1-$2-$3")}`);

export const tooManyGroups = (user: string): Answer =>
  denied(`${user} is in more groups that rules name than a token has room for`);

export const mayNot = (user: string, operation: string, repository: string): Answer => {
  const what = { pull: "pull", push: "push to", delete: "delete from" }[operation];
  return denied(`${user} may not ${what === undefined ? "do this" : `${what} ${repository}`}`);
};
