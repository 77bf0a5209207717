import { closest, distance } from "fastest-levenshtein";
import type { z } from "zod";
import { configSchema } from "./schema/index.js";
import { type IssueParams, quote } from "./text.js";

/** A schema issue in words. A path may name a key that the schema does not know. */
export interface Explanation {
  path: readonly PropertyKey[];
  message: string;
  remedy: string;
  /** Whether it is about the key itself and not about its value. */
  ofKey?: true;
}

type Issue = z.core.$ZodIssue;

/**
 * Puts one issue of zod into words for a person; an issue about several unknown keys becomes several
 * explanations.
 *
 * @param issue an issue of `configSchema.safeParse`
 * @param value what stands at the issue's path, undefined where nothing does
 */
export function explain(issue: Issue, value: unknown): Explanation[] {
  const { path } = issue;
  switch (issue.code) {
    case "unrecognized_keys":
      return issue.keys.map((key) => ({
        path: [...path, key],
        ofKey: true,
        ...explainUnknownKey(path, key),
      }));
    case "invalid_value":
      return [{ path, ...explainValue(path, issue.values, value) }];
    case "invalid_union":
      return [{ path, ...explainUnion(issue, value) }];
    case "invalid_type":
      return [{ path, ...explainType(path, issue.expected, value) }];
    case "invalid_key":
      return issue.issues.flatMap((inner) => explain({ ...inner, path } as Issue, path.at(-1)));
    case "too_small":
    case "too_big": {
      const bound = issue.code === "too_small" ? `at least ${issue.minimum}` : `at most ${issue.maximum}`;
      return [{ path, message: `${quote(value)} is out of range`, remedy: `Write a number of ${bound}.` }];
    }
    default: {
      const params = "params" in issue ? (issue.params as Partial<IssueParams> | undefined) : undefined;
      return [{ path, message: issue.message, remedy: params?.remedy ?? "See docs/configuration.md." }];
    }
  }
}

function explainUnknownKey(parent: readonly PropertyKey[], key: string) {
  const other = variantsAt(parent).find(({ shape }) => key in shape);
  if (other !== undefined) {
    const { discriminator, value } = other;
    return {
      message: `is a key of another ${discriminator}`,
      remedy: `Set ${discriminator}: ${value}, or remove it.`,
    };
  }
  const known = knownKeys(parent);
  const nearest = nearestOf(key, known);
  return {
    message: `unknown key ${quote(key)}`,
    remedy: nearest ? `Did you mean ${nearest}?` : `Known here: ${known.join(", ")}.`,
  };
}

function explainValue(path: readonly PropertyKey[], values: readonly unknown[], value: unknown) {
  if (path.length === 1 && path[0] === "version") {
    return {
      message: `version ${quote(value)} of the config format is unknown to this hephaestus`,
      remedy: `Write version: ${values.join(" or ")}; a newer format needs a newer hephaestus.`,
    };
  }
  const nearest = typeof value === "string" ? nearestOf(value, values.map(String)) : undefined;
  return {
    message: value === undefined ? "is missing" : `${quote(value)} is not one of ${values.join(", ")}`,
    remedy: nearest ? `Did you mean ${nearest}?` : `Write ${values.join(" or ")}.`,
  };
}

function explainUnion(issue: Extract<Issue, { code: "invalid_union" }>, value: unknown) {
  const literals = issue.errors
    .flat()
    .flatMap((inner) => (inner.code === "invalid_value" ? inner.values : []));
  // Of a union that a key decides about, zod names no values.
  if (literals.length === 0) {
    const values = variantsAt(issue.path.slice(0, -1)).map((variant) => variant.value);
    return explainValue(issue.path, values, value);
  }
  const explained = explainValue(issue.path, literals, value);
  const takesList = issue.errors.flat().some((inner) => "expected" in inner && inner.expected === "array");
  return takesList
    ? { ...explained, remedy: `${explained.remedy} Or write a list of names: [ann, ci].` }
    : explained;
}

const TYPE_NAMES: Record<string, string> = {
  object: "a group of keys",
  record: "a group of keys",
  array: "a list",
  string: "text",
  number: "a number",
  int: "a whole number",
  boolean: "true or false",
};

function explainType(path: readonly PropertyKey[], expected: string, value: unknown) {
  const wanted = TYPE_NAMES[expected] ?? expected;
  const last = String(path.at(-1) ?? "the file");
  if (value === undefined || value === null) {
    return {
      message: `${path.length === 0 ? "the file" : last} is ${value === null ? "empty" : "missing"}`,
      remedy:
        last === "domain"
          ? "Add domain: and your domain, such as domain: example.com."
          : `Give it ${wanted}.`,
    };
  }
  const hint = expected === "string" ? ` Put it in quotes: "${String(value)}".` : "";
  return {
    message: `${quote(value)} is not ${wanted}`,
    remedy: `Write ${wanted}.${typeof value === "object" ? "" : hint}`,
  };
}

/** The word nearest to a mistyped one, or undefined where none is near. */
export function nearestOf(word: string, candidates: readonly string[]): string | undefined {
  if (candidates.length === 0) return undefined;
  const nearest = closest(word.toLowerCase(), candidates as string[]);
  return distance(word.toLowerCase(), nearest.toLowerCase()) <= Math.max(2, Math.ceil(word.length / 3))
    ? nearest
    : undefined;
}

/** The keys that the schema knows at a path. */
const knownKeys = (path: readonly PropertyKey[]): string[] => Object.keys(shapeOf(schemaAt(path)) ?? {});

function schemaAt(path: readonly PropertyKey[]): unknown {
  let schema: unknown = configSchema;
  for (const key of path) schema = shapeOf(schema)?.[String(key)];
  return schema;
}

type Shape = Record<string, unknown>;

/** What is read of the definition of a schema of zod. */
interface Definition {
  shape?: Shape;
  innerType?: unknown;
  options?: unknown[];
  discriminator?: string;
  values?: unknown[];
}

/** The definition of a schema inside of the wrappers (default, optional) around it. */
function innermost(schema: unknown): Definition {
  const { def = {} } = (schema ?? {}) as { def?: Definition };
  return def.innerType === undefined ? def : innermost(def.innerType);
}

/** The keys of an object schema, or of all groups of a union. */
function shapeOf(schema: unknown): Shape | undefined {
  const { shape, options } = innermost(schema);
  return shape ?? (options && Object.assign({}, ...options.map((option) => shapeOf(option) ?? {})));
}

/** One of the groups of keys that a key such as `driver` decides between, and its value there. */
interface Variant {
  discriminator: string;
  value: unknown;
  shape: Shape;
}

function variantsAt(path: readonly PropertyKey[]): Variant[] {
  const { discriminator, options = [] } = innermost(schemaAt(path));
  if (discriminator === undefined) return [];
  return options.map((option) => {
    const shape = shapeOf(option) ?? {};
    return { discriminator, value: innermost(shape[discriminator]).values?.[0], shape };
  });
}
