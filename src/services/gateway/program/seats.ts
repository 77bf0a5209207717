import type { Counts } from "./nginx.js";

/** A seat that a worker took which has ended is free after so long. */
const SEAT_MS = 60_000;

/** How many may wait for something at the same time, and how many of them for one network. */
export interface Seats {
  of: string;
  most: number;
  mostOfNetwork: number;
}

/**
 * Does something that takes a while. A request that waits holds memory of the program, so not everybody may
 * at once.
 *
 * @returns undefined where all seats are taken
 */
export async function seated<Result>(
  counts: Counts,
  { of, most, mostOfNetwork }: Seats,
  network: string,
  work: () => Promise<Result>,
): Promise<Result | undefined> {
  const names = [of, `${of} ${network}`];
  const [all = 0, ofNetwork = 0] = names.map((name) => counts.incr(name, 1, 0, SEAT_MS));
  try {
    return all > most || ofNetwork > mostOfNetwork ? undefined : await work();
  } finally {
    for (const name of names) counts.incr(name, -1, 0, SEAT_MS);
  }
}
