import hashes from "node:crypto";
import { typedName } from "../../../credentials/userNames.js";
import type { Counts, Memory } from "./nginx.js";
import { seated } from "./seats.js";

/** Someone whose password was right. */
export interface Account {
  user: string;
  /** Those that Authelia names. */
  groups: readonly string[];
  /** The first day on which the account is refused, such as 20271231 (UTC). */
  end?: number | undefined;
  /** When the password was found right, in milliseconds. */
  checked: number;
}

/** Why a password, or a token, gives nothing. */
export type Refusal =
  /** It is not right. */
  | "wrong"
  /** It is right, but Authelia does not let the account in, or gives it a name that no user has. */
  | "denied"
  | "misnamed"
  /** Nobody looked: too many wrong ones from this network, or too many checks at the moment. */
  | "exhausted"
  | "busy"
  /** Nobody could say: the registry, or Authelia, does not answer, or Authelia's answer is of no use. */
  | "unavailable"
  | "silent"
  | "unusable"
  /** It is a token that is too old. */
  | "expired";

/** A guess is counted, also where nobody could say whether it is right: the registry has said no. */
type Nothing = { refusal: Refusal; isGuess?: boolean };
export type Checked = { account: Account } | Nothing;
/** What those who know the users say. */
export type Told = { account: Omit<Account, "checked"> } | Nothing;

export interface CheckLimits {
  /** Seconds for which an answer is remembered. */
  remember: number;
  /** Seconds within which a check has its turn and its answer. */
  patience: number;
  /** Wrong ones of a network: so many at once, then so many in a minute. */
  wrongAtOnce: number;
  wrongPerMinute: number;
  /** Wrong ones of everybody: so many at once, then so many in a minute, are few. */
  guessesAtOnce: number;
  guessesPerMinute: number;
  /**
   * How many requests may wait for answers about passwords that were not right lately, and how many of them
   * for one network; and as many about those that were, and how many of them for one user.
   */
  waiting: number;
  waitingOfNetwork: number;
  waitingOfUser: number;
}

/** Where a check waits for its turn: while few passwords are wrong, and while they are guessed. */
export type Lane = "swift" | "pace";

/** What a check needs from around it. */
export interface CheckAround {
  memory: Memory<string>;
  counts: Counts;
  /** Asks who knows the password, after a turn in a lane or at once. */
  ask: (lane: Lane | undefined) => Promise<Told>;
  now: () => number;
  sleep: (milliseconds: number) => Promise<void>;
}

/** What one right answer lasts for those who come back: nobody waits who was right within a day. */
const DAY_MS = 86_400_000;
/** Who waits for somebody else's question looks after so long, and then after twice as long each time. */
const FIRST_PAUSE_MS = 50;
const LONGEST_PAUSE_MS = 1000;
/** Answers that depend on the password alone. */
const REMEMBERED: readonly Refusal[] = ["wrong", "denied", "misnamed"];
/** Those that say nothing about the password. */
const UNKNOWN: readonly Refusal[] = ["unavailable", "silent"];

/**
 * Checks a password: each is asked about once in `remember` seconds, however many ask at the same time. One
 * that was right within a day needs no turn; any other needs one, and fewer wrong ones from its network than
 * the limit.
 *
 * @param credential the Base64 of NAME:PASSWORD. Nothing keeps it: memory has a keyed hash
 * @param network of the client
 * @param since a password that was found right before is asked about again. That it was right counts only if
 * nobody can say
 */
export async function check(
  around: CheckAround,
  limits: CheckLimits,
  credential: string,
  network: string,
  since = 0,
): Promise<Checked> {
  const { memory, counts } = around;
  const hash = hashOf(memory, credential);
  const known = remembered(memory, hash, since);
  if (known !== undefined) return known;
  const isKnown = memory.get(`right ${hash}`) !== undefined;
  // bcrypt reads 72 bytes of a password, so it has more forms than one: a user's right ones take turns.
  const turn = isKnown ? hashOf(memory, typedName(credential)) : hash;
  const seats = {
    of: isKnown ? "returning" : "waiting",
    most: limits.waiting,
    mostOfNetwork: isKnown ? limits.waitingOfUser : limits.waitingOfNetwork,
  };
  // Strangers take no seat of someone who was right, and neither does another user.
  const holder = isKnown ? turn : network;
  const answer = await seated(counts, seats, holder, () =>
    askedOnce(around, limits, { hash, turn: `asking ${turn}` }, network, since),
  );
  const isUnknown = answer !== undefined && "refusal" in answer && UNKNOWN.includes(answer.refusal);
  // While nobody can say, what was said last counts as long as it is remembered.
  return (isUnknown ? remembered(memory, hash, 0) : undefined) ?? answer ?? { refusal: "busy" };
}

function remembered(memory: Memory<string>, hash: string, since: number): Checked | undefined {
  const text = memory.get(`answer ${hash}`);
  if (text === undefined) return undefined;
  const answer = JSON.parse(text) as Checked;
  return "account" in answer && answer.account.checked < since ? undefined : answer;
}

/** Asks, or waits for somebody else's question about the same password, or the same user. */
async function askedOnce(
  around: CheckAround,
  limits: CheckLimits,
  { hash, turn }: { hash: string; turn: string },
  network: string,
  since: number,
): Promise<Checked> {
  const { memory, now, sleep } = around;
  const end = now() + limits.patience * 1000;
  for (let pause = FIRST_PAUSE_MS; now() < end; pause = Math.min(2 * pause, LONGEST_PAUSE_MS)) {
    const answer = remembered(memory, hash, since);
    if (answer !== undefined) return answer;
    if (!memory.add(turn, "1", limits.patience * 1000)) {
      await sleep(pause);
      continue;
    }
    try {
      return await judged(around, limits, hash, network);
    } finally {
      memory.delete(turn);
    }
  }
  return { refusal: "busy" };
}

async function judged(
  { memory, counts, ask, now }: CheckAround,
  limits: CheckLimits,
  hash: string,
  network: string,
): Promise<Checked> {
  const wasRight = memory.get(`right ${hash}`) !== undefined;
  if (!wasRight && isExhausted(counts, limits, network, now())) return { refusal: "exhausted" };
  const isCalm = recent(counts, "guesses", windows(limits).ofAll, now()) < limits.guessesAtOnce;
  const told = await ask(wasRight ? undefined : isCalm ? "swift" : "pace");
  const answer: Checked = "refusal" in told ? told : { account: { ...told.account, checked: now() } };
  const refusal = "refusal" in answer ? answer.refusal : undefined;
  if (refusal === undefined || REMEMBERED.includes(refusal))
    memory.set(`answer ${hash}`, JSON.stringify(answer), limits.remember * 1000);
  if (refusal === undefined || refusal === "denied" || refusal === "misnamed")
    memory.set(`right ${hash}`, "1", DAY_MS);
  if (refusal === "wrong") memory.delete(`right ${hash}`);
  const isGuess = refusal === "wrong" || ("isGuess" in answer && answer.isGuess === true);
  // Once for each password: a client tries the same one again while Authelia is silent.
  if (isGuess && !wasRight && memory.add(`guess ${hash}`, "1", limits.remember * 1000)) {
    count(counts, `wrong ${network}`, windows(limits).ofNetwork, now());
    count(counts, "guesses", windows(limits).ofAll, now());
  }
  return answer;
}

/** Whether a network has sent too many wrong passwords. */
export const isExhausted = (counts: Counts, limits: CheckLimits, network: string, now: number): boolean =>
  recent(counts, `wrong ${network}`, windows(limits).ofNetwork, now) >= limits.wrongAtOnce;

/** In how many milliseconds what may come at once comes again. */
const windows = (limits: CheckLimits) => ({
  ofNetwork: (60_000 * limits.wrongAtOnce) / limits.wrongPerMinute,
  ofAll: (60_000 * limits.guessesAtOnce) / limits.guessesPerMinute,
});

function count(counts: Counts, name: string, window: number, now: number): void {
  counts.incr(`${name} ${Math.floor(now / window)}`, 1, 0, 2 * window);
}

/** How many were counted within a window: those of this one, and a share of the last one. */
function recent(counts: Counts, name: string, window: number, now: number): number {
  const current = Math.floor(now / window);
  const share = 1 - (now / window - current);
  const of = (index: number) => counts.get(`${name} ${index}`) ?? 0;
  return of(current) + share * of(current - 1);
}

/** A keyed hash of a credential. The key is this container's alone, and gone with it. */
function hashOf(memory: Memory<string>, credential: string): string {
  if (memory.get("key") === undefined) {
    const random = Buffer.from(crypto.getRandomValues(new Uint8Array(32)));
    memory.add("key", random.toString("hex"), 365 * DAY_MS);
  }
  return hashes
    .createHmac("sha256", memory.get("key") ?? "")
    .update(credential)
    .digest("base64url");
}
