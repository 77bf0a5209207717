import type { Counts } from "./nginx.js";

/** A seat that a worker took which has ended is free after so long. */
const SEAT_MS = 60_000;

/** How many may wait for something at the same time, and how many of them for one network. */
export interface Seats {
  of: string;
  most: number;
  mostOfNetwork: number;
}

/** Takes a seat, or gives it back. @returns how many are taken then, and how many of them for the network */
export const counted = (counts: Counts, of: string, network: string, by: 1 | -1): number[] =>
  [of, `${of} ${network}`].map((name) => counts.incr(name, by, 0, SEAT_MS));

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
  const [all = 0, ofNetwork = 0] = counted(counts, of, network, 1);
  try {
    return all > most || ofNetwork > mostOfNetwork ? undefined : await work();
  } finally {
    counted(counts, of, network, -1);
  }
}
