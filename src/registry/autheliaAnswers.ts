import type { AutheliaFault, Fault, Get } from "./frontDoorQuestion.js";

/** How each fault is fixed. */
export const AUTHELIA_REMEDIES: Readonly<Record<AutheliaFault, string>> = {
  silent: "See that Authelia runs, and that authelia.url and authelia.middleware reach it.",
  refuses:
    "Put the rendered authelia/access_control.yml into Authelia's configuration, before other rules for these hosts; they must lie below the domain of one of its session.cookies.",
};

/** A user without a password: Authelia refuses it without asking its backend, and counts no attempt. Source: authelia, handler_authz_authn.go. */
const NOBODY = `Basic ${Buffer.from("nobody:").toString("base64")}`;

/** Asks the gateway about a login that Authelia has to refuse. */
export async function askAuthelia(get: Get, tokenUrl: string): Promise<Fault | undefined> {
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
