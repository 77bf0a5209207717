import type { Config } from "../config/resolve.js";

/**
 * How fast passwords are checked that were not right the last time. At cost 12 a check takes 0.2 to 0.4 s of a core. No check
 * waits longer than Docker's command does for a login (15 s), nearly.
 */
export const CHECK_LIMITS = {
  /** While few are wrong, for all clients together: so many in a second, so many that start at once, and so many that wait. */
  swiftPerSecond: 8,
  swiftAtOnce: 15,
  swiftWaiting: 110,
  /** How many of these may be in progress or wait for one network: an office, or an ingress network, is one. */
  atOnceOfAddress: 60,
  /** Wrong ones of everybody: so many at once, then so many in a minute, are few. The question itself counts, every few seconds. */
  guessesAtOnce: 30,
  guessesPerMinute: 40,
  calmSeconds: 5,
  /** So many at most are remembered: the quiet minutes that it takes until they are few again. */
  guessesRemembered: 60,
  /** While passwords are guessed, for all clients together: anonymous pulls keep the rest of the processor. */
  checksPerMinute: 24,
  /** How many start at once after a quiet time, beside the first. */
  atOnce: 9,
  /** How many may be in progress or wait for their turn beside the first, and how many of them may come from one network. */
  waiting: 14,
  waitingOfAddress: 4,
  /** Wrong ones of a network: so many at once, then so many in a minute. */
  wrongAtOnce: 10,
  wrongPerMinute: 8,
  /** Seconds within which a check has its turn and its answer. */
  patience: 20,
} as const;

/** What nginx holds of an answer that its client does not read: proxy_buffers and proxy_buffer_size, in MiB. */
const ANSWER_MIB = 0.15;

/**
 * How many reads may be in progress, for all clients and for one network. Answers that nobody reads fill half of the memory
 * that a task may use at most; so many are hardly meant where it has no limit.
 */
export function answerLimits({ gateway }: Pick<Config, "gateway">): {
  answers: number;
  answersOfNetwork: number;
} {
  const { memory } = gateway.resources.limits;
  const answers = memory === undefined ? 4000 : Math.max(60, Math.floor(mebibytes(memory) / 2 / ANSWER_MIB));
  return { answers, answersOfNetwork: Math.ceil(answers / 3) };
}

/** 512M and 1G in MiB. */
const mebibytes = (size: string): number => Number.parseInt(size, 10) * (/g/i.test(size) ? 1024 : 1);
