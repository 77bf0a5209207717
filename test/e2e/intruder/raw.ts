import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";

/**
 * Sends bytes to a port of this machine and gives what came back: everything until the other side closes, or what was
 * there when it fell silent.
 *
 * @param silenceMilliseconds how long to wait for more
 */
export function sendRaw(port: number, bytes: string | Buffer, silenceMilliseconds = 400): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect(port, "127.0.0.1");
    let answer = "";
    const finish = () => {
      socket.destroy();
      resolve(answer);
    };
    socket.setTimeout(silenceMilliseconds, finish);
    socket.on("data", (chunk) => {
      answer += chunk.toString("latin1");
    });
    socket.on("close", finish);
    socket.on("error", finish);
    socket.on("connect", () => socket.write(bytes));
  });
}

/** The status codes in what came back, one for each response. */
export const statuses = (answer: string): number[] =>
  [...answer.matchAll(/^HTTP\/1\.[01] (\d{3})/gm)].map(([, status]) => Number(status));

export interface RawRequest {
  method: string;
  target: string;
  headers?: readonly string[];
  body?: string;
}

/** A request as text, with nothing corrected on the way. */
export function requestText({ method, target, headers = [], body = "" }: RawRequest): string {
  const has = (name: RegExp) => headers.some((header) => name.test(header));
  const lines = [
    `${method} ${target} HTTP/1.1`,
    ...(has(/^host:/i) ? [] : ["Host: localhost"]),
    ...headers,
    ...(body === "" || has(/^(?:content-length|transfer-encoding)\s*:/i)
      ? []
      : [`Content-Length: ${Buffer.byteLength(body)}`]),
    "Connection: close",
  ];
  return `${lines.join("\r\n")}\r\n\r\n${body}`;
}

/** Every file and folder below a folder, with the digest of its content: what a write or a delete would change. */
export function listing(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: "utf8" })
    .map((name) => {
      const path = join(folder, name);
      const isFile = statSync(path).isFile();
      return `${name} ${isFile ? createHash("sha256").update(readFileSync(path)).digest("hex") : "folder"}`;
    })
    .sort();
}
