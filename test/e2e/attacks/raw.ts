import { connect } from "node:net";
import { basicValue } from "../../support/basic.js";

/** Where raw bytes go: a port of this machine, from an address of it, or a Unix socket that a relay passes on. */
export interface Endpoint {
  name: string;
  to: { host: string; port: number; localAddress?: string } | { path: string };
  /** What clients call it, as in a Host header. */
  authority: string;
}

/** What came back for the bytes of one connection. */
export interface Talk {
  /** Of each answer, in order. HTTP/0.9 answers have none. */
  statuses: number[];
  text: string;
  /** False where the server neither answered nor closed in time. */
  ended: boolean;
}

export interface TalkSettings {
  /** How long nothing may come before the connection is given up. */
  silenceMs?: number;
  /** Whether the first whole answer ends it, also where the server keeps the connection. */
  once?: boolean;
  /** Bytes that follow, each after its pause. */
  later?: { afterMs: number; bytes: string }[];
}

/** Sends bytes as they are, and takes what comes until the server closes or falls silent. Never fails. */
export function talk(endpoint: Endpoint, bytes: string | Buffer, settings: TalkSettings = {}): Promise<Talk> {
  const { silenceMs = 1000, later = [] } = settings;
  const isHead = String(bytes).startsWith("HEAD ");
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    const socket = connect(endpoint.to);
    const timers: NodeJS.Timeout[] = [];
    let ended = true;
    socket.setTimeout(silenceMs, () => {
      ended = false;
      socket.destroy();
    });
    socket.on("connect", () => {
      socket.setNoDelay(true);
      socket.write(typeof bytes === "string" ? Buffer.from(bytes, "latin1") : bytes);
      for (const part of later)
        timers.push(setTimeout(() => socket.write(Buffer.from(part.bytes, "latin1")), part.afterMs));
    });
    socket.on("data", (part: Buffer) => {
      parts.push(part);
      if (settings.once && isWhole(Buffer.concat(parts).toString("latin1"), isHead)) socket.destroy();
    });
    // A reset while we still write is an answer like any other.
    socket.on("error", () => {});
    socket.on("close", () => {
      for (const timer of timers) clearTimeout(timer);
      const text = Buffer.concat(parts).toString("latin1");
      resolve({ statuses: statusesIn(text), text, ended });
    });
  });
}

/** Whether all of the first final answer is there. Source: RFC 9112, section 6.3. */
function isWhole(text: string, isHead: boolean): boolean {
  const answer = text.replace(/^(?:HTTP\/1\.1 1\d\d [\s\S]*?\r\n\r\n)+/, "");
  const end = answer.indexOf("\r\n\r\n");
  if (end < 0) return false;
  const [head, body] = [answer.slice(0, end), answer.slice(end + 4)];
  if (isHead || /^HTTP\/1\.1 (?:204|304) /.test(head)) return true;
  if (/\r\ntransfer-encoding: chunked/i.test(head)) return /(?:^|\r\n)0\r\n\r\n$/.test(body);
  const length = /\r\ncontent-length: (\d+)/i.exec(head)?.[1];
  return length !== undefined && body.length >= Number(length);
}

function statusesIn(text: string): number[] {
  return [...text.matchAll(/HTTP\/1\.[01] (\d{3})\b/g)].map((match) => Number(match[1]));
}

/** The bytes of a request as a well-behaved client writes it; the connection ends with its answer. */
export function request(
  endpoint: Pick<Endpoint, "authority">,
  method: string,
  target: string,
  headers: readonly string[] = [],
  body = "",
): string {
  const own = headers.map((header) => header.slice(0, header.indexOf(":")).trim().toLowerCase());
  const lines = [`${method} ${target} HTTP/1.1`];
  if (!own.includes("host")) lines.push(`Host: ${endpoint.authority}`);
  if (!own.includes("connection")) lines.push("Connection: close");
  if (body !== "" && !own.includes("content-length") && !own.includes("transfer-encoding"))
    lines.push(`Content-Length: ${Buffer.byteLength(body, "latin1")}`);
  return `${[...lines, ...headers].join("\r\n")}\r\n\r\n${body}`;
}

/** An answer in parts, for a single request. */
export interface Answer {
  status: number | undefined;
  headers: Record<string, string>;
  body: string;
}

export async function ask(
  endpoint: Endpoint,
  method: string,
  target: string,
  headers: readonly string[] = [],
  body = "",
): Promise<Answer> {
  const { text, statuses } = await talk(endpoint, request(endpoint, method, target, headers, body), {
    // A gateway without one of its limits checks everything at once: it answers late, but it answers.
    silenceMs: 60_000,
  });
  const end = text.indexOf("\r\n\r\n");
  const lines = text.slice(0, Math.max(end, 0)).split("\r\n").slice(1);
  const received = Object.fromEntries(
    lines.map((line) => [line.split(":", 1)[0]?.toLowerCase(), line.slice(line.indexOf(":") + 1).trim()]),
  );
  const rest = end < 0 ? text : text.slice(end + 4);
  const chunked = received["transfer-encoding"] === "chunked";
  return { status: statuses[0], headers: received, body: chunked ? joined(rest) : rest };
}

function joined(chunks: string): string {
  const size = Number.parseInt(chunks, 16);
  const start = chunks.indexOf("\r\n") + 2;
  return size > 0 ? chunks.slice(start, start + size) + joined(chunks.slice(start + size + 2)) : "";
}

/** The header. */
export const basic = (user: string, password: string): string =>
  `Authorization: ${basicValue(user, password)}`;
