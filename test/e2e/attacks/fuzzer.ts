import type { Image } from "./image.js";
import { type Door, talk } from "./raw.js";
import { CREDENTIALS, METHODS, OVERRIDES, type Shape, SPELLINGS, smuggled, writes } from "./shapes.js";

export interface FuzzReport {
  /** Requests that were answered, and those that were left waiting. */
  requests: number;
  /** How often each status was answered; also connections that ended without one ("closed") or fell silent. */
  histogram: Record<string, number>;
  /** Answers in which one of the texts stood that must not be seen. */
  leaks: string[];
}

export interface FuzzSettings {
  doors: readonly Door[];
  image: Image;
  count: number;
  seed: number;
  /** Texts that no answer may hold. */
  unseen: readonly string[];
}

const CONNECTIONS = 48;
const SPICE = [
  "%2f",
  "%00",
  "%0d%0a",
  "..",
  "//",
  "\\",
  "\t",
  " ",
  ";",
  "?",
  "#",
  "%",
  "\u00e9",
  "\x7f",
  "{",
  "$",
].concat([
  "'",
  '"',
  "~",
  "@",
  "%25",
  "\r\n",
  "\n",
  "\r",
  "\0",
  ":",
  ",",
  "=",
  "0",
  "-1",
  "&",
  "HTTP/1.1",
  "\r\n\r\n",
]);

/** Sends raw requests made from the shapes of the attacks by chance, several to a connection. Repeatable by its seed. */
export async function fuzz({ doors, image, count, seed, unseen }: FuzzSettings): Promise<FuzzReport> {
  const report: FuzzReport = { requests: 0, histogram: {}, leaks: [] };
  const grammar = new Grammar(image, seeded(seed));
  let turn = 0;
  const worker = async (): Promise<void> => {
    while (report.requests < count) {
      const door = doors[turn++ % doors.length];
      if (door === undefined) return;
      const requests = grammar.connection();
      const { statuses, text, ended } = await talk(door, requests.join(""), { silenceMs: 400 });
      const outcomes: (number | string)[] = [...statuses];
      if (statuses.length < requests.length) outcomes.push(ended ? "closed" : "silent");
      for (const outcome of outcomes) report.histogram[outcome] = (report.histogram[outcome] ?? 0) + 1;
      report.requests += statuses.length + (ended ? 0 : 1);
      if (unseen.some((secret) => text.includes(secret)))
        report.leaks.push(`${door.name}: ${requests.join("")}`);
    }
  };
  await Promise.all(Array.from({ length: CONNECTIONS }, worker));
  return report;
}

/** Makes requests from numbers. */
class Grammar {
  private readonly writes: Shape[];

  constructor(
    private readonly image: Image,
    private readonly random: () => number,
  ) {
    this.writes = writes(image);
  }

  /** The requests of one connection, of which the last one asks to close it. */
  connection(): string[] {
    if (this.chance(0.03)) return [this.pick(smuggled(this.request(true)))];
    const length = 1 + Math.floor(this.random() * 6);
    return Array.from({ length }, (_, index) => {
      const text = this.request(index === length - 1);
      return this.chance(0.4) ? this.mutated(text) : text;
    });
  }

  private request(last: boolean): string {
    const shape = this.pick(this.writes);
    const kind = this.random();
    const method =
      kind < 0.5 ? shape.method : kind < 0.8 ? this.pick(METHODS.slice(0, 12)) : this.pick(["GET", "HEAD"]);
    const target = this.chance(0.3) ? this.target() : shape.target;
    const body = this.chance(0.7) ? shape.body : "fuzz".repeat(Math.floor(this.random() * 8));
    const headers = [
      "Host: localhost",
      ...shape.headers,
      ...(this.chance(0.5) ? this.pick(CREDENTIALS) : []),
      ...(this.chance(0.2) ? this.pick(OVERRIDES) : []),
      ...(this.chance(0.1) ? ["Transfer-Encoding: chunked"] : [`Content-Length: ${body.length}`]),
      ...(last ? ["Connection: close"] : []),
    ];
    return `${this.chance(0.02) ? this.pick(METHODS) : method} ${target} HTTP/1.1\r\n${headers.join("\r\n")}\r\n\r\n${body}`;
  }

  private target(): string {
    const { repository, tag, manifestDigest, blobDigest } = this.image;
    const target = this.pick([
      ...this.writes.map((shape) => shape.target),
      ...["/v2/", "/v2/_catalog?n=1", "/auth/token", "/auth/check", "/auth/anonymous", "/healthz", "/", "*"],
      ...["push", "pull", "*", "delete,pull"].map(
        (right) => `/auth/token?scope=repository:${repository}:${right}`,
      ),
      `/v2/${repository}/manifests/${tag}`,
      `/v2/${repository}/manifests/${manifestDigest}`,
      `/v2/${repository}/blobs/${blobDigest}`,
      `/v2/${repository}/tags/list`,
    ]);
    return this.chance(0.6) ? this.pick(SPELLINGS)(target) : target;
  }

  /** A few bytes inserted, removed, doubled or replaced. */
  private mutated(text: string): string {
    let result = text;
    for (let changes = 1 + Math.floor(this.random() * 3); changes > 0; changes--) {
      const at = Math.floor(this.random() * result.length);
      const kind = this.random();
      if (kind < 0.4) result = result.slice(0, at) + this.pick(SPICE) + result.slice(at);
      else if (kind < 0.6)
        result = result.slice(0, at) + result.slice(at + 1 + Math.floor(this.random() * 3));
      else if (kind < 0.8) result = result.slice(0, at) + result.slice(at, at + 12) + result.slice(at);
      else
        result =
          result.slice(0, at) + String.fromCharCode(Math.floor(this.random() * 256)) + result.slice(at + 1);
    }
    return result;
  }

  private chance(share: number): boolean {
    return this.random() < share;
  }

  private pick<T>(list: readonly T[]): T {
    return list[Math.floor(this.random() * list.length)] as T;
  }
}

/** A generator of numbers from 0 to 1 with a seed (mulberry32). */
function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}
