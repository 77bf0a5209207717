import type { Counts, NginxRequest } from "./nginx.js";
import { counted } from "./seats.js";

export const hasBody = (headers: NginxRequest["headersIn"]): boolean =>
  headers["Transfer-Encoding"] !== undefined || Number(headers["Content-Length"] ?? 0) > 0;

/** What a client has still to do about a request that is decided: send its body, or take the answer. */
export type Unread = "bodies" | "answers";

/**
 * Takes a place for such a request: it holds memory of the program until the client has done that, or nginx
 * gives up.
 *
 * @param most how many there may be; a third of them from one network
 * @returns whether it may be answered; else its connection is closed
 */
export function takePlace(counts: Counts, of: Unread, most: number, network: string): boolean {
  const [all = 0, ofNetwork = 0] = counted(counts, of, network, 1);
  return all <= most && ofNetwork <= Math.ceil(most / 3);
}

/** Gives the place back, when the request has ended. */
export const leavePlace = (counts: Counts, of: string, network: string): unknown =>
  counted(counts, of, network, -1);
