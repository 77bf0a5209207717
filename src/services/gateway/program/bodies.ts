import type { Counts, NginxRequest } from "./nginx.js";

/** A place that a worker took which has ended is free after so long. */
const PLACE_MS = 60_000;

export const hasBody = (headers: NginxRequest["headersIn"]): boolean =>
  headers["Transfer-Encoding"] !== undefined || Number(headers["Content-Length"] ?? 0) > 0;

/**
 * Counts requests whose body nobody reads: each holds memory of the program until its body has come, or nginx
 * gives up.
 */
const counted = (counts: Counts, network: string, by: number): number[] =>
  ["bodies", `bodies ${network}`].map((name) => counts.incr(name, by, 0, PLACE_MS));

/**
 * Takes a place for one of them.
 *
 * @param most how many there may be; a third of them from one network
 * @returns whether it may be answered; else its connection is closed
 */
export function takePlace(counts: Counts, most: number, network: string): boolean {
  const [all = 0, ofNetwork = 0] = counted(counts, network, 1);
  return all <= most && ofNetwork <= Math.ceil(most / 3);
}

/** Gives the place back, when the request has ended. */
export const leavePlace = (counts: Counts, network: string): unknown => counted(counts, network, -1);
