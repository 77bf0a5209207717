import { type Attack, storing } from "./attack.js";
import { requestText } from "./raw.js";
import { DISGUISES, METHODS, TARGETS } from "./shapes.js";

/** A small generator of numbers with a seed (mulberry32), so that a run can be repeated. */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

export const SPICE = [
  "%2f",
  "%00",
  "..",
  "//",
  "\\",
  "\t",
  " ",
  ";",
  "?",
  "#",
  "%",
  "\u00e9",
  "\x7f",
  "{",
  "$",
  "'",
  '"',
  "~",
  "@",
  "%25",
];

/** One raw request: a known one with a few bytes inserted, removed, doubled or replaced. */
function mutate(random: () => number): string {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)] as T;
  const headers = random() < 0.3 ? [...pick(DISGUISES), ...pick(DISGUISES)] : pick(DISGUISES);
  const method = random() < 0.8 ? pick(["POST", "PUT", "PATCH", "DELETE"]) : pick(METHODS);
  let text = requestText({
    method,
    target: pick(TARGETS),
    headers,
    body: "fuzz".repeat(Math.floor(random() * 8)),
  });
  for (let changes = Math.floor(random() * 4); changes > 0; changes--) {
    const at = Math.floor(random() * text.length);
    const kind = random();
    if (kind < 0.4) text = text.slice(0, at) + pick(SPICE) + text.slice(at);
    else if (kind < 0.6) text = text.slice(0, at) + text.slice(at + 1 + Math.floor(random() * 3));
    else if (kind < 0.8) text = text.slice(0, at) + text.slice(at, at + 12) + text.slice(at);
    else text = text.slice(0, at) + String.fromCharCode(Math.floor(random() * 256)) + text.slice(at + 1);
  }
  return text;
}

/** What makes a request complete that lost its end, so that every one is answered; and the end of its connection. */
const END = "\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

/** Attacks with mutated requests, the same ones for the same seed. */
export function* fuzzed(count: number, seed: number): Generator<Attack> {
  const random = seeded(seed);
  for (let number = 0; number < count; number++) yield storing(mutate(random) + END);
}
