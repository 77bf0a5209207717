import type { Config } from "../config/resolve.js";
import type { CheckLimits } from "./gateway/program/checks.js";

/**
 * How fast passwords are checked that were not right the last time. At cost 12 a check takes 0.2 to 0.4 s of
 * a core. No check waits longer than Docker's command does for a login (15 s), nearly.
 */
export const TURNS = {
  /**
   * While few are wrong, for all clients together: so many in a second, so many that start at once, and so
   * many that wait.
   */
  swiftPerSecond: 8,
  swiftAtOnce: 15,
  swiftWaiting: 110,
  /** How many of these may wait for one network: an office, or an ingress network, is one. */
  atOnceOfAddress: 60,
  /**
   * While passwords are guessed, for all clients together: anonymous pulls keep the rest of the processor.
   */
  checksPerMinute: 24,
  /** How many start at once after a quiet time, beside the first. */
  atOnce: 9,
  /** How many may wait for their turn beside the first, and how many of them may come from one network. */
  waiting: 14,
  waitingOfAddress: 4,
} as const;

/** What the program counts, and how long a check may take. */
export const CHECK_LIMITS = {
  wrongAtOnce: 10,
  wrongPerMinute: 8,
  guessesAtOnce: 30,
  guessesPerMinute: 40,
  patience: 20,
  waiting: 200,
  waitingOfNetwork: 100,
  // All nodes may pull with one account.
  waitingOfUser: 150,
} as const satisfies Partial<CheckLimits>;

/**
 * What a request holds until its answer is read, in MiB: proxy_buffers and proxy_buffer_size, the program's
 * own memory, and that of its rules. Measured with 1000 requests that wait, without rules and with 200.
 */
const BUFFERS_MIB = 0.15;
const PROGRAM_MIB = 0.4;
const RULE_MIB = 0.002;

/** Processes of nginx: not one for each core, since a large node would spend the memory limit on them. */
export const WORKERS = 4;
/** As many as requests that a worker has in progress under load. */
const MOST_CONTEXTS = 64;

type Limited = Pick<Config, "gateway" | "access">;

/**
 * How many reads may be in progress, for all clients and for one network. Answers that nobody reads fill half
 * of the memory that a task may use at most; so many are hardly meant where it has no limit.
 */
export function answerLimits({ gateway, access }: Limited): {
  answers: number;
  answersOfNetwork: number;
} {
  const { memory } = gateway.resources.limits;
  const each = BUFFERS_MIB + contextMebibytes(access);
  const answers = memory === undefined ? 4000 : Math.max(40, Math.floor(mebibytes(memory) / 2 / each));
  return { answers, answersOfNetwork: Math.ceil(answers / 3) };
}

/**
 * How many contexts of the program a worker keeps for the next requests: making one takes longer than a
 * request. They stay once many requests were in progress, so they take a quarter of the memory at most.
 */
export function keptContexts({ gateway, access }: Limited): number {
  const { memory } = gateway.resources.limits;
  if (memory === undefined) return MOST_CONTEXTS;
  const fitting = Math.floor(mebibytes(memory) / 4 / WORKERS / contextMebibytes(access));
  return Math.min(MOST_CONTEXTS, Math.max(1, fitting));
}

/** What one context holds. */
const contextMebibytes = (access: Config["access"]): number => PROGRAM_MIB + RULE_MIB * access.length;

/** 512M and 1G in MiB. */
const mebibytes = (size: string): number => Number.parseInt(size, 10) * (/g/i.test(size) ? 1024 : 1);
