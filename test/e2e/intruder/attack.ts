/** Sends attacks, and judges what came back. */
import { expect } from "vitest";
import { type Endpoint, talk } from "../attacks/raw.js";
import { type RawRequest, requestText } from "./raw.js";

/** Bytes that are sent, one for each character, and which answers would let the attacker in. */
export interface Attack {
  bytes: string;
  /** @param statuses of all final answers, in order */
  opens: (statuses: readonly number[], text: string) => boolean;
}

export interface Outcome {
  /** How often each status was the first answer; 0 stands for HTTP/0.9, which has none. */
  answers: Map<number, number>;
  opened: string[];
  /** Where nothing came, or too late: such an attack proves nothing. */
  unanswered: string[];
  /** Where the server was in no state to let anybody in. */
  failed: string[];
}

/** Much longer than any answer takes. Only an attack that is not answered waits for it. */
const SILENCE_MS = 60_000;
/** Then it is clear that nobody answers. */
const MOST_UNANSWERED = 50;
const FAILURES = [500, 502, 503, 504];

/**
 * Sends each attack through each endpoint, some at a time.
 *
 * @param silenceMs how long nothing may come before a connection is given up
 */
export async function attack(
  endpoints: readonly Endpoint[],
  attacks: Iterable<Attack>,
  silenceMs = SILENCE_MS,
): Promise<Outcome> {
  const outcome: Outcome = { answers: new Map(), opened: [], unanswered: [], failed: [] };
  function* everywhere() {
    for (const { bytes, opens } of attacks)
      for (const endpoint of endpoints) yield { bytes, opens, endpoint };
  }
  const queue = everywhere();
  const worker = async () => {
    for (const { bytes, opens, endpoint } of queue) {
      if (outcome.unanswered.length >= MOST_UNANSWERED) return;
      const { statuses, text } = await talk(endpoint, bytes, { silenceMs });
      // 100 Continue says nothing yet.
      const final = statuses.filter((status) => status >= 200);
      const [first = 0] = final;
      const what = `${endpoint.name}: ${statuses.join(", ")} ${JSON.stringify(bytes)}`;
      if (text === "" || (final.length === 0 && statuses.length > 0)) outcome.unanswered.push(what);
      else outcome.answers.set(first, (outcome.answers.get(first) ?? 0) + 1);
      if (opens(final, text)) outcome.opened.push(what);
      if (final.some((status) => FAILURES.includes(status))) outcome.failed.push(what);
    }
  };
  await Promise.all(Array.from({ length: 16 }, worker));
  return outcome;
}

/**
 * Fails unless every attack was answered and none let in.
 *
 * @param share how many must have been refused for lack of a password, of 1; the others were refused for their form
 */
export function expectRefused({ answers, ...faults }: Outcome, share: number): void {
  expect(faults).toEqual({ opened: [], unanswered: [], failed: [] });
  const total = [...answers.values()].reduce((sum, count) => sum + count, 0);
  const refused = (answers.get(401) ?? 0) + (answers.get(403) ?? 0);
  expect(refused / total, `${refused} of ${total} were refused for lack of a password`).toBeGreaterThan(
    share,
  );
}

/** Answers that need no password: the health check, the anonymous token, and redirections to nowhere new. */
const isHarmless = ({ method, target }: RawRequest, status: number): boolean =>
  /^(?:get|head|options)$/i.test(method) ||
  /healthz|^\*$|^\/auth\/token/.test(target) ||
  status === 301 ||
  status === 302;

/** An attack with a request that would write. */
export const writing = (request: RawRequest): Attack => ({
  bytes: requestText(request),
  opens: (statuses) => statuses.some((status) => status < 400 && !isHarmless(request, status)),
});

/** Bytes that would start an upload or store something: what the registry answers then. */
export const storing = (bytes: string): Attack => ({
  bytes,
  opens: (statuses) => statuses.some((status) => status === 201 || status === 202),
});
