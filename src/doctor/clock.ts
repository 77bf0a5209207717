import type { Finding } from "../finding.js";

/** Two clocks, read at the same moment. */
export interface ClockReading {
  there: Date;
  /** This machine's. */
  here: Date;
}

/**
 * The clock of a web server, by the Date header of its answer (RFC 9110: to the second).
 *
 * @returns undefined if it does not answer, or not with a date
 */
export async function readClock(url: string): Promise<ClockReading | undefined> {
  try {
    const { headers } = await fetch(url, { redirect: "manual", signal: AbortSignal.timeout(10_000) });
    const there = new Date(headers.get("date") ?? "");
    return Number.isNaN(there.getTime()) ? undefined : { there, here: new Date() };
  } catch {
    return undefined;
  }
}

/** Certificates, locks and the tokens of several gateways go by the clock; more than this breaks them. */
const MOST_SECONDS_APART = 30;

/**
 * Whether another clock differs from this machine's.
 *
 * @param found makes the finding of "31 seconds ahead of" and the evidence
 */
export function judgeClock(
  { there, here }: ClockReading,
  found: (difference: string, evidence: string) => Finding,
): Finding[] {
  const apart = Math.round((there.getTime() - here.getTime()) / 1000);
  if (Number.isNaN(apart) || Math.abs(apart) <= MOST_SECONDS_APART) return [];
  const difference = `${Math.abs(apart)} seconds ${apart > 0 ? "ahead of" : "behind"}`;
  return [found(difference, `${there.toISOString()} there, ${here.toISOString()} here`)];
}
