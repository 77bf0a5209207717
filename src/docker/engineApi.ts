import { ExitCode, OperatorError } from "../errors.js";
import type { Docker } from "./run.js";

/**
 * Requests to the Docker Engine API for what the docker command has no words for: a service's spec as it is stored
 * (`docker service inspect` fills in defaults) and an update with a whole spec. `docker system dial-stdio` (CLI 18.09 and
 * newer) connects standard input and output with the engine, wherever it is: a socket, TLS, ssh.
 */

/** Milliseconds for one request. */
const REQUEST_MILLISECONDS = 60_000;

export interface EngineApi {
  /** @throws OperatorError when the engine refuses, with its own words */
  get<T>(path: string): Promise<T>;
  /** @throws OperatorError when the engine refuses, with its own words */
  post(path: string, body: unknown): Promise<void>;
}

/** The API of the engine that docker talks to, in the engine's own version. */
export async function engineApi(docker: Docker): Promise<EngineApi> {
  const server = JSON.parse(await docker.run(["version", "--format", "{{json .Server}}"])) as {
    ApiVersion: string;
  };
  const ask = async (method: "GET" | "POST", path: string, body: string): Promise<string> => {
    const output = await docker.run(["system", "dial-stdio"], {
      input: request(method, `/v${server.ApiVersion}${path}`, body),
      // The engine takes the end of the input for a client that has gone, and may give the request up.
      holdsInput: true,
      timeout: REQUEST_MILLISECONDS,
    });
    return responseBody(`${method} ${path.replace(/\?.*$/, "")}`, output);
  };
  return {
    get: async <T>(path: string) => JSON.parse(await ask("GET", path, "")) as T,
    post: async (path, body) => {
      await ask("POST", path, JSON.stringify(body));
    },
  };
}

/** HTTP/1.0, so that the answer ends with the connection and has no chunks. */
const request = (method: string, path: string, body: string): string =>
  [
    `${method} ${path} HTTP/1.0`,
    "Host: docker",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
    "",
    body,
  ].join("\r\n");

/** The body of a good answer. Pure. */
export function responseBody(what: string, output: string): string {
  const [head = "", ...rest] = output.split("\r\n\r\n");
  const body = rest.join("\r\n\r\n");
  const status = Number(/^HTTP\/1\.\d (\d{3})/.exec(head)?.[1] ?? 0);
  if (status >= 200 && status < 300) return body;
  throw new OperatorError(messageOf(body) || `was answered ${status || "with nothing"}`, {
    where: `Docker Engine API, ${what}`,
    remedy: "Run this again with --verbose to see what was asked before.",
    exitCode: ExitCode.docker,
  });
}

function messageOf(body: string): string {
  try {
    return String((JSON.parse(body) as { message?: unknown }).message ?? "");
  } catch {
    return body.trim();
  }
}
