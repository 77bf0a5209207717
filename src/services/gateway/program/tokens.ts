import hashes from "node:crypto";
import type { Account, Checked } from "./checks.js";

/**
 * Makes and reads the tokens of users: an account as JSON, and an HMAC of it that only gateways of this stack
 * can make. Nobody is asked about a token, so it ends soon.
 */
export interface Tokens {
  sign: (account: Account) => string;
  /** @returns undefined where no gateway of this stack has signed it */
  open: (token: string) => Checked | undefined;
}

/** The key is for tokens of this form alone: another form needs another name. */
const PURPOSE = "hephaestus token 1";
/** A client that is told 60 seconds sends a token that old, and then it is on its way. */
const WAY_SECONDS = 5;
/** Clocks of two nodes may differ by so much; see doctor/clock.ts. */
const APART_SECONDS = 30;
/** nginx takes header lines of 8 kB. Source: nginx.org, "large_client_header_buffers". */
export const LONGEST_TOKEN = 7000;
/** Half of the random digits that hephaestus puts there. With an empty file, everybody could sign. */
const SHORTEST_SECRET = 32;

/**
 * @param secret of the stack, which no rotation changes: else uploads would fail in the middle
 * @param seconds for which a client is told that a token is good, after the password was checked
 * @throws Error if the secret can be guessed: the gateway then refuses every request
 */
export function tokensOf(secret: string, seconds: number, now: () => number): Tokens {
  if (secret.replace(/^ *secret:/, "").trim().length < SHORTEST_SECRET)
    throw new Error("the secret http-secret is empty or too short: no token can be signed");
  const key = mac(secret, PURPOSE);
  return {
    sign: (account) => {
      const payload = Buffer.from(JSON.stringify(account)).toString("base64url");
      return `${payload}.${mac(key, payload)}`;
    },
    open: (token) => {
      const [, payload = "", given = ""] = /^([\w-]+)\.([\w-]+)$/.exec(token) ?? [];
      if (!isSame(given, mac(key, payload))) return undefined;
      const account = JSON.parse(Buffer.from(payload, "base64url").toString()) as Account;
      const age = (now() - account.checked) / 1000;
      return age >= -APART_SECONDS && age < seconds + WAY_SECONDS ? { account } : { refusal: "expired" };
    },
  };
}

const mac = (key: string, text: string): string =>
  hashes.createHmac("sha256", key).update(text).digest("base64url");

/** Compares in a time that does not tell how much of a text is right. */
function isSame(a: string, b: string): boolean {
  let difference = a.length ^ b.length;
  for (let place = 0; place < b.length; place++) difference |= a.charCodeAt(place) ^ b.charCodeAt(place);
  return difference === 0;
}
