import type { Docker } from "../docker/run.js";
import { readServiceLog } from "../docker/serviceLogs.js";
import { type Access, parseAccess } from "./accessLog.js";

/** What is known of a log that was read. */
export interface LogRead {
  /** The time of its oldest request. */
  oldest: Date | undefined;
  /** What is missing in it and why. */
  missing: string[];
}

/**
 * Reads the access log of the gateway from the Swarm.
 *
 * @param since in RFC 3339; undefined for the whole log
 * @param visit gets each request, in the order in which they ended
 */
export async function readGatewayLog(
  docker: Docker,
  stack: string,
  since: string | undefined,
  visit: (access: Access) => void,
): Promise<LogRead> {
  let oldest: Date | undefined;
  const { lines, missing } = await readServiceLog(docker, `${stack}_gateway`, { since });
  for (const { text } of lines) {
    const access = parseAccess(text);
    if (access === undefined) continue;
    if (oldest === undefined || access.at < oldest) oldest = access.at;
    visit(access);
  }
  return { oldest, missing };
}
