import { asWritten, streamLogs } from "../docker/serviceLogs.js";
import { OperatorError } from "../errors.js";
import { type Access, parseAccess } from "./accessLog.js";

export interface GatewayLogOptions {
  context?: string | undefined;
  /** In RFC 3339; the whole log without it. */
  since?: string;
  signal?: AbortSignal;
}

/** What is known of a log that was read. */
export interface LogRead {
  /** The time of its oldest request. */
  oldest: Date | undefined;
  /** Why it is not complete. */
  fault: string | undefined;
}

/**
 * Reads the access log of the gateway from the Swarm.
 *
 * @param visit gets each request, in no order: each task has a log of its own
 * @throws OperatorError when docker gives nothing
 */
export async function readGatewayLog(
  stack: string,
  options: GatewayLogOptions,
  visit: (access: Access) => void,
): Promise<LogRead> {
  let oldest: Date | undefined;
  try {
    await streamLogs([`${stack}_gateway`], { ...options, follow: false }, (_service, line) => {
      const access = parseAccess(asWritten(line));
      if (access === undefined) return;
      if (oldest === undefined || access.at < oldest) oldest = access.at;
      visit(access);
    });
  } catch (error) {
    // Docker prints what it can get, and then names the tasks whose logs it could not get.
    if (oldest === undefined || !(error instanceof OperatorError)) throw error;
    return { oldest, fault: error.message };
  }
  return { oldest, fault: undefined };
}
