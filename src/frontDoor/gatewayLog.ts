import { z } from "zod";
import type { Docker } from "../docker/run.js";
import { readJson } from "../json.js";
import { type Action, actionOf, repositoryIn } from "../services/accessActions.js";
import { readServiceLog } from "../swarm/serviceLogs.js";

/** A request, as the gateway logged it. */
export interface Access {
  /** When it ended. */
  at: Date;
  /** The user whose password was right; undefined for a request without a login, or with a wrong one. */
  user: string | undefined;
  /** The account of the stack that asked for the user: that of the admin UI. */
  via: string | undefined;
  address: string;
  method: string;
  /** Without the query. */
  path: string;
  action: Action | undefined;
  repository: string | undefined;
  /** The tag or digest of a manifest, or the digest of a blob. */
  reference: string | undefined;
  status: number;
  /** Bytes of the answer's body. */
  bytes: number;
  seconds: number;
  userAgent: string;
}

const QUOTED = '"((?:[^"\\\\]|\\\\.)*)"';
/** The format `plain` of the gateway. */
const PLAIN = new RegExp(
  `^(\\S+) ${QUOTED} \\[([^\\]]+)\\] "([A-Z]+) ((?:[^"\\\\]|\\\\.)*)" (\\d+) (\\d+) ([\\d.]+) ${QUOTED}$`,
);

/** The fields of a line. */
const word = z.string().default("");
const lineSchema = z.object({
  address: word,
  user: word,
  time: z.coerce.date(),
  method: z.string().min(1),
  path: word,
  status: z.coerce.number(),
  bytes: z.coerce.number(),
  seconds: z.coerce.number(),
  userAgent: word,
});

/**
 * A line of the gateway's access log, in either format.
 *
 * @returns undefined for any other line, such as one of nginx itself
 */
export function parseAccess(line: string): Access | undefined {
  const fields = line.startsWith("{")
    ? readJson(lineSchema, line)
    : lineSchema.safeParse(plainFields(line)).data;
  if (fields === undefined) return undefined;
  const { time, method, path, user: login, ...rest } = fields;
  const [user = "", via] = login.split(" via ");
  return {
    at: time,
    user: user === "" || user === "-" ? undefined : user,
    via,
    method,
    path,
    action: actionOf(method, path),
    repository: repositoryIn(path),
    reference: /\/(?:manifests|blobs|referrers)\/([^/]+)$/.exec(path)?.[1],
    ...rest,
  };
}

function plainFields(line: string): unknown {
  const [, address, user = "", time, method, path = "", status, bytes, seconds, userAgent = ""] =
    PLAIN.exec(line) ?? [];
  return {
    ...{ address, time, method, status, bytes, seconds },
    ...{ user: unescaped(user), path: unescaped(path), userAgent: unescaped(userAgent) },
  };
}

/** nginx writes a byte that could end a field as \xXX. Source: nginx, log_format, escape=default. */
function unescaped(text: string): string {
  const bytes = text.replace(/\\x([0-9A-F]{2})/g, (_, hex: string) =>
    String.fromCharCode(Number.parseInt(hex, 16)),
  );
  return Buffer.from(bytes, "latin1").toString("utf8");
}

/** Whether a request is of a manifest: an image, and no part of one. */
export const isOfManifest = ({ path }: Pick<Access, "path">): boolean => /\/manifests\/[^/]+$/.test(path);

/**
 * Whether an audit names a request: images that were pulled, pushed or deleted, and what was refused. The
 * parts of a pull or a push, questions and the challenge that begins a login are left out.
 */
export function isEvent(access: Access): boolean {
  const { method, path, action, status } = access;
  if (status === 401) return path === "/auth/token";
  if (status === 403 || status === 429) return true;
  return isOfManifest(access) && action !== undefined && method !== "HEAD";
}

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
