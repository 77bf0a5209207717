import { z } from "zod";
import { ExitCode, OperatorError } from "../errors.js";
import { checkJson } from "../json.js";
import type { EngineAnswer, EngineRequest } from "./engineConnection.js";
import { placeOf, requestFailed } from "./failures.js";
import type { Docker } from "./run.js";

/** Questions to the Docker Engine API. Its answers are checked here, as far as they are read. */

/** The filters of a list, such as { label: ["a=b"] }. */
export type Filters = Readonly<Record<string, readonly string[]>>;

/** The path of a list. */
export const listPath = (path: string, filters: Filters): string =>
  `${path}?filters=${encodeURIComponent(JSON.stringify(filters))}`;

/**
 * Asks for an object or a list.
 *
 * @param schema of what is read; the other fields come along, since a spec goes back to the engine as it is
 * @throws OperatorError when the engine refuses, in its own words, or gives an odd answer
 */
export async function engineGet<T>(docker: Docker, path: string, schema: z.ZodType<T>): Promise<T> {
  const request = { method: "GET", path } as const;
  return checked(schema, placeOf(request), successful(request, await docker.ask(request)));
}

/** The same; undefined if there is no such object. */
export async function engineFind<T>(
  docker: Docker,
  path: string,
  schema: z.ZodType<T>,
): Promise<T | undefined> {
  const request = { method: "GET", path } as const;
  const answer = await docker.ask(request);
  return answer.status === 404 ? undefined : checked(schema, placeOf(request), successful(request, answer));
}

/** @throws OperatorError when the engine refuses, in its own words */
export async function enginePost(
  docker: Docker,
  path: string,
  body: unknown,
  headers: EngineRequest["headers"] = {},
): Promise<void> {
  const request = { method: "POST", path, body, headers } as const;
  successful(request, await docker.ask(request));
}

const CREATED = z.object({ ID: z.string() });

/**
 * Creates an object.
 *
 * @returns its id; undefined if its name is taken
 */
export async function engineCreate(docker: Docker, path: string, body: unknown): Promise<string | undefined> {
  const request = { method: "POST", path, body } as const;
  const answer = await docker.ask(request);
  return answer.status === 409
    ? undefined
    : checked(CREATED, placeOf(request), successful(request, answer)).ID;
}

/**
 * Removes an object; one that is not there counts as removed.
 *
 * @throws OperatorError when the engine refuses, in its own words
 */
export async function engineDelete(docker: Docker, path: string): Promise<void> {
  const request = { method: "DELETE", path } as const;
  const answer = await docker.ask(request);
  if (answer.status !== 404) successful(request, answer);
}

/** Removes an object if the engine lets it go. @returns whether it is gone */
export async function engineRemove(docker: Docker, path: string): Promise<boolean> {
  const { status } = await docker.ask({ method: "DELETE", path });
  return status === 404 || isSuccess(status);
}

const isSuccess = (status = 0): boolean => status >= 200 && status < 300;

function successful(request: EngineRequest, answer: EngineAnswer): string {
  if (isSuccess(answer.status)) return answer.body;
  throw requestFailed(request, answer);
}

/**
 * An answer as it came, with the fields that nothing here reads, if it has what the schema says.
 *
 * @throws OperatorError that says at which place it does not
 */
export function checked<T>(schema: z.ZodType<T>, where: string, text: string): T {
  try {
    return checkJson(schema, text).json as T;
  } catch (cause) {
    throw new OperatorError(`gave an odd answer: ${(cause as Error).message}`, {
      where,
      remedy: "See with `docker version` that client and engine are Docker 20.10 or newer.",
      exitCode: ExitCode.docker,
      cause,
    });
  }
}
