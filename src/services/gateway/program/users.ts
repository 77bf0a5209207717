import { isReserved, typedName, USER_NAME } from "../../../credentials/userNames.js";
import type { Lane, Told } from "./checks.js";
import type { NginxRequest } from "./nginx.js";
import type { Settings } from "./settings.js";

/**
 * Asks who knows a user: the registry, whose htpasswd has the stack's own accounts too, and then Authelia.
 */
export async function askUsers(
  r: NginxRequest,
  provider: Settings["provider"],
  credential: string,
  lane: Lane | undefined,
): Promise<Told> {
  const first = lane === undefined ? "/ask" : `/ask/${lane}`;
  const name = typedName(credential);
  r.variables.credential = credential;
  if (provider === "authelia" && !isReserved(name)) return askAuthelia(r, first);
  const answer = await askRegistry(r, first, name);
  const isUnknown = "refusal" in answer && answer.refusal === "wrong";
  if (!isUnknown || provider === "htpasswd") return answer;
  const second = await askAuthelia(r, "/ask");
  const isOpen = "refusal" in second && (second.refusal === "silent" || second.refusal === "unusable");
  return isOpen ? { ...second, isGuess: true } : second;
}

async function askRegistry(r: NginxRequest, place: string, user: string): Promise<Told> {
  const { status, headersOut } = await r.subrequest(`${place}/password`, { method: "GET" });
  if (status === 200)
    return { account: { user, groups: [], end: endOf(user, headersOut["X-Account-Ends"] ?? "") } };
  // Whatever else the registry says, so that no form of a guess goes uncounted.
  return noTurn(status) ?? { refusal: status >= 400 && status < 500 ? "wrong" : "unavailable" };
}

/** What a lane says by itself. */
const noTurn = (status: number): Told | undefined =>
  status === 429 ? { refusal: "exhausted" } : status === 529 ? { refusal: "busy" } : undefined;

/** @param ends of all accounts that have one: `,ci 20271231,` */
function endOf(user: string, ends: string): number | undefined {
  const start = `,${user} `;
  const at = ends.indexOf(start);
  return at < 0 ? undefined : Number.parseInt(ends.slice(at + start.length), 10);
}

/** Source: Authelia's documentation, "AuthRequest" implementation. */
async function askAuthelia(r: NginxRequest, place: string): Promise<Told> {
  const { status, headersOut } = await r.subrequest(`${place}/authelia`, { method: "GET" });
  const without = noTurn(status);
  if (without !== undefined) return without;
  if (status === 401) return { refusal: "wrong" };
  if (status === 403) return { refusal: "denied" };
  // 400 is Authelia's word for a host that none of its session cookies is for.
  if (status < 200 || status > 299) return { refusal: status >= 500 && status < 510 ? "silent" : "unusable" };
  const user = headersOut["Remote-User"] ?? "";
  // Where its policy is `bypass`, it says yes to every password and names nobody.
  if (user === "") return { refusal: "unusable" };
  if (!USER_NAME.test(user)) return { refusal: "misnamed" };
  const groups = (headersOut["Remote-Groups"] ?? "").split(",").filter((group) => group !== "");
  return { account: { user, groups } };
}
