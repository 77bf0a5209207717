/** Two clocks, read at the same moment. */
export interface ClockReading {
  there: Date;
  /** This machine's. */
  here: Date;
}

/**
 * The clock of a web server, by the Date header of its answer (RFC 9110: to the second).
 *
 * @returns undefined where it does not answer, or not with a date
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
