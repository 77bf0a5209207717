/** What a client sees of a registry, so that two of them can be compared. */
import { type Answer, ask, type Endpoint } from "../e2e/attacks/raw.js";
import { RIGHT } from "./attacks/site.js";

/** Where an answer differs by nature, what is the same. */
export interface Seen {
  step?: string;
  status: number | undefined;
  headers: Record<string, string>;
  body: string;
}

export type Step = (method: string, path: string, headers?: string[], body?: string) => Promise<Answer>;

const HEADERS = [
  ...["location", "range", "docker-content-digest", "docker-upload-uuid", "link", "etag", "allow"],
  ...["content-length", "content-type", "content-range", "accept-ranges", "cache-control"],
  ...["docker-distribution-api-version", "x-content-type-options"],
];

export function seen({ status, headers, body }: Answer, endpoint: Endpoint, repository: string): Seen {
  const plain = (text = ""): string =>
    text
      .replaceAll(repository, "REPOSITORY")
      .replaceAll(`http://${endpoint.authority}`, "HOST")
      .replace(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UUID")
      .replace(/_state=[\w%-]+/g, "_state=STATE")
      // What parts the ranges of a body.
      .replace(/(?<=--|boundary=)[0-9a-f]{60}/g, "BOUNDARY");
  // The registry says this in plain text, the gateway in JSON, as the specification has errors.
  const shown = status === 405 ? ["allow", "docker-distribution-api-version"] : HEADERS;
  const kept = shown.map((name) => [name, plain(headers[name])]).filter(([, value]) => value !== "");
  return {
    status,
    headers: Object.fromEntries(kept) as Record<string, string>,
    body: status === 405 ? "" : plain(body),
  };
}

/** Does some work with a repository at an endpoint, as the user, and records what is seen. */
export async function recorded(
  endpoint: Endpoint,
  repository: string,
  work: (step: Step, repository: string) => Promise<void>,
): Promise<Seen[]> {
  const record: Seen[] = [];
  await work(async (method, path, headers = [], body = "") => {
    const answer = await ask(endpoint, method, path, [RIGHT, ...headers], body);
    const step = `${record.length + 1}. ${method}`;
    record.push({ step, ...seen(answer, endpoint, repository) });
    return answer;
  }, repository);
  return record;
}

/** Path and query of a Location. */
export function place({ headers }: Answer): string {
  const { pathname, search } = new URL(headers.location ?? "", "http://localhost");
  return pathname + search;
}
