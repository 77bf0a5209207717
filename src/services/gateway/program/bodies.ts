import type { Counts, NginxRequest } from "./nginx.js";
import { counted } from "./seats.js";

export const hasBody = (headers: NginxRequest["headersIn"]): boolean =>
  headers["Transfer-Encoding"] !== undefined || Number(headers["Content-Length"] ?? 0) > 0;

/**
 * Takes a place for a request whose body nobody reads: it holds memory of the program until its body has
 * come, or nginx gives up.
 *
 * @param most how many there may be; a third of them from one network
 * @returns whether it may be answered; else its connection is closed
 */
export function takePlace(counts: Counts, most: number, network: string): boolean {
  const [all = 0, ofNetwork = 0] = counted(counts, "bodies", network, 1);
  return all <= most && ofNetwork <= Math.ceil(most / 3);
}

/** Gives the place back, when the request has ended. */
export const leavePlace = (counts: Counts, network: string): unknown =>
  counted(counts, "bodies", network, -1);
