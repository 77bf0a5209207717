import type { Counts, NginxRequest } from "./nginx.js";

/** For so long nginx takes a body that nobody reads (`lingering_time`), and its request holds memory of the program. */
const WINDOW_MS = 5000;
/** How many of them may be answered within that time, and how many of one network. */
const MOST = 150;
const MOST_OF_NETWORK = 50;

export const hasBody = (headers: NginxRequest["headersIn"]): boolean =>
  headers["Transfer-Encoding"] !== undefined || Number(headers["Content-Length"] ?? 0) > 0;

/** Whether one more body that nobody reads may come. A network that sends too many does not use up those of others. */
export function mayLinger(counts: Counts, network: string, now: number): boolean {
  const window = Math.floor(now / WINDOW_MS);
  const isWithin = (name: string, most: number) =>
    counts.incr(`${name} ${window}`, 1, 0, 2 * WINDOW_MS) <= most;
  return isWithin(`bodies ${network}`, MOST_OF_NETWORK) && isWithin("bodies", MOST);
}
