import { createHash } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

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
