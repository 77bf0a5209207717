import type { z } from "zod";

/**
 * Reads a JSON document from outside.
 *
 * @throws TypeError where it is no JSON, or has another shape; it says where
 */
export const parseJson = <T>(schema: z.ZodType<T>, text: string): T => checkJson(schema, text).data;

/**
 * The same.
 *
 * @returns `data` has what the schema names; `json` is the document as it came, with its other fields
 */
export function checkJson<T>(schema: z.ZodType<T>, text: string): { data: T; json: unknown } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new TypeError("is no JSON", { cause });
  }
  const { data, error } = schema.safeParse(json);
  if (error === undefined) return { data: data as T, json };
  const [issue] = error.issues;
  const place = issue?.path.join(".") ?? "";
  throw new TypeError(`${place === "" ? "" : `at ${place}: `}${issue?.message}`);
}

/** @returns undefined where the content is no JSON, or has another shape */
export function readJson<T>(schema: z.ZodType<T>, content: string | Uint8Array): T | undefined {
  try {
    return parseJson(schema, typeof content === "string" ? content : Buffer.from(content).toString("utf8"));
  } catch {
    return undefined;
  }
}
