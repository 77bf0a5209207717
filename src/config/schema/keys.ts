import { z } from "zod";

/** How keys of the config file are written in the schema. */

/** A group of keys. It may be left out: then each key has its default. */
export const group = <T extends z.ZodRawShape>(shape: T) => z.strictObject(shape).prefault({} as never);

/** true or false. */
export const flag = (value: boolean, description: string) => z.boolean().default(value).describe(description);

/** One of several words. */
export const choice = <const T extends readonly [string, ...string[]]>(
  words: T,
  word: NoInfer<T[number]>,
  description: string,
) =>
  z
    .enum(words)
    .default(word as never)
    .describe(description);

/** A whole number. */
export const count = (least: number, most: number, value: number, description: string) =>
  z.int().min(least).max(most).default(value).describe(description);

/** A list, which is empty if it is left out. */
export const list = <T extends z.ZodType>(entry: T, description: string) =>
  z.array(entry).default([]).describe(description);

/**
 * A key that may be left out.
 *
 * @param derived what counts then, in the documentation
 */
export const optional = <T extends z.ZodType>(schema: T, description: string, derived: string) =>
  schema.optional().describe(description).meta({ derived });
