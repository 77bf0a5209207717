/** The gateway's program without nginx: requests, what answers its questions, memory, and a clock. */
import { loadConfig } from "../../../src/config/load.js";
import type { NginxRequest, Reply } from "../../../src/services/gateway/program/nginx.js";
import { gateway } from "../../../src/services/gateway/program/program.js";
import type { Settings } from "../../../src/services/gateway/program/settings.js";
import { gatewaySettings } from "../../../src/services/gatewayConfig.js";
import { basicValue } from "../../support/basic.js";

const RIGHT = "right";
/** Of the stack, as the gateways have it. */
export const SECRET = `  secret: ${"5ec7e7".repeat(11)}\n`;
const HOST = "registry.a.example";

/** nginx's dictionaries, with the clock of the test. */
export class Dictionary {
  readonly entries = new Map<string, { value: unknown; until: number }>();

  constructor(private readonly now: () => number) {}

  // biome-ignore lint/suspicious/noExplicitAny: one for texts and for numbers
  get(key: string): any {
    const entry = this.entries.get(key);
    return entry !== undefined && entry.until > this.now() ? entry.value : undefined;
  }

  set(key: string, value: unknown, timeout: number): void {
    this.entries.set(key, { value, until: this.now() + timeout });
  }

  add(key: string, value: unknown, timeout: number): boolean {
    const isNew = this.get(key) === undefined;
    if (isNew) this.set(key, value, timeout);
    return isNew;
  }

  delete(key: string): boolean {
    return this.entries.delete(key);
  }

  incr(key: string, by: number, from: number, timeout: number): number {
    this.set(key, (this.get(key) ?? from) + by, timeout);
    return this.get(key);
  }
}

/** For a program whose storage is empty: all reads go to the registry. */
export const NO_FILES = {
  manifests: new Dictionary(Date.now),
  files: {
    readFileSync: fileIsMissing,
    realpathSync: fileIsMissing,
    statSync: fileIsMissing,
  },
};

function fileIsMissing(path: string): never {
  throw new Error(`ENOENT: ${path}`);
}

/** A clock that stands still until somebody sleeps. */
export function standingClock(start = Date.UTC(2026, 10, 30)) {
  const clock = {
    time: start,
    now: () => clock.time,
    sleep: async (milliseconds: number) => {
      clock.time += milliseconds;
    },
  };
  return clock;
}

/** What becomes of a request: an answer, or the place that it is sent to, with the address. */
export interface Outcome {
  status?: number;
  body?: string | undefined;
  headers: Record<string, string>;
  place?: string;
  sent?: string | undefined;
  variables: Record<string, string | undefined>;
  /** What the program asked for it. */
  questions: string[];
  errors: string[];
}

export interface Sent {
  method?: string;
  uri: string;
  /** A name, whose password is right. */
  user?: string;
  headers?: Record<string, string>;
  /** Of the client. */
  address?: string;
  /** Whether the client never takes the answer. */
  hangs?: boolean;
}

/** Answers what the program asks; undefined for what a registry says whose users all have the password RIGHT. */
export type Upstream = (
  place: string,
  options: { method: string; args?: string },
  variables: Outcome["variables"],
) => Partial<Reply> | undefined;

function registry(place: string, variables: Outcome["variables"], ends: string): Partial<Reply> {
  if (!place.endsWith("/password")) return { status: 404 };
  const [, password] = Buffer.from(variables.credential ?? "", "base64")
    .toString()
    .split(":");
  return password === RIGHT ? { status: 200, headersOut: { "X-Account-Ends": ends } } : { status: 401 };
}

/** The settings of a config. */
export const settingsOf = (config: object): Settings =>
  JSON.parse(gatewaySettings(loadConfig(JSON.stringify({ domain: "a.example", ...config }), "f", {}).config));

/**
 * The program for a config.
 *
 * @param ends what the registry says of accounts that end
 * @param ready when the program's questions are answered
 */
export function programOf(
  config: object,
  upstream: Upstream = () => undefined,
  ends = "",
  ready = Promise.resolve(),
) {
  const clock = standingClock();
  const shared = {
    memory: new Dictionary(clock.now),
    counts: new Dictionary(clock.now),
    ...NO_FILES,
    ...clock,
    secret: SECRET,
  };
  const { access, ended } = gateway(settingsOf(config), shared);
  const answer = async ({
    method = "GET",
    uri,
    user,
    headers = {},
    address = "192.0.2.1",
    hangs = false,
  }: Sent): Promise<Outcome> => {
    const authorization = user === undefined ? {} : { Authorization: basicValue(user, RIGHT) };
    const outcome: Outcome = { headers: {}, variables: {}, questions: [], errors: [] };
    const variables = outcome.variables;
    Object.assign(variables, { request_uri: uri, remote_addr: address });
    const request: NginxRequest = {
      method,
      uri: uri.replace(/\?.*/, ""),
      headersIn: { Host: HOST, ...authorization, ...headers },
      headersOut: outcome.headers,
      variables,
      subrequest: async (place, options) => {
        outcome.questions.push(`${options.method} ${place}`);
        await ready;
        const reply = upstream(place, options, variables) ?? registry(place, variables, ends);
        return { status: 200, responseText: "", headersOut: {}, ...reply };
      },
      internalRedirect: (place) => {
        outcome.place = place;
        outcome.sent = variables.sent;
      },
      return: (status, body) => {
        outcome.status = status;
        outcome.body = body;
      },
      status: 0,
      sendHeader: () => (outcome.status = request.status),
      finish: () => {},
      error: (message) => outcome.errors.push(message),
      log: () => {},
    };
    await access(request);
    if (variables.unread !== undefined && !hangs) ended(request);
    return outcome;
  };
  return Object.assign(answer, { clock });
}

/** The header of a user who has a token. */
export async function bearerOf(
  program: ReturnType<typeof programOf>,
  user: string,
): Promise<{ Authorization: string }> {
  const { body = "" } = await program({ uri: "/auth/token", user });
  return { Authorization: `Bearer ${JSON.parse(body).token}` };
}

/** In short: "200", "301 /v2/", "403 ann may not push to a", or "@writes /v2/…". */
export function inShort({ status, body = "", place, sent }: Outcome): string {
  if (place !== undefined) return `${place} ${sent}`;
  if (status === 301 || status === 302) return `${status} ${body}`;
  const message = /"message":"([^"]*)"/.exec(body)?.[1];
  return message === undefined ? `${status}` : `${status} ${message}`;
}

/** Rules of which most tests of decisions take some. */
export const RULES = {
  registry: { delete: true },
  groups: { crew: ["ann"] },
  access: [
    { repositories: ["secret/**"], pull: ["ann"] },
    { repositories: ["team/**"], pull: ["crew", "bob"], push: ["ann"] },
    { repositories: ["users/*"], pull: "authenticated" },
    { repositories: ["shut"], pull: [], push: [], delete: [] },
    { repositories: ["named/*"], pull: ["user:crew"] },
  ],
};
