import { configSchema } from "../src/config/schema/index.js";
import { markdownTable } from "./markdownTable.js";

/** One key of the config, for the reference. */
interface ReferenceRow {
  path: string;
  default: string;
  description: string;
}

interface Definition {
  type: string;
  shape?: Record<string, Schema>;
  innerType?: Schema;
  options?: Schema[];
  entries?: Record<string, string>;
  values?: unknown[];
  defaultValue?: unknown;
}

interface Schema {
  def: Definition;
  description?: string;
  meta(): { derived?: string } | undefined;
}

/** Every key of hephaestus.yaml with its default and meaning, in the schema's order. */
function referenceRows(): ReferenceRow[] {
  return rowsOf(configSchema as unknown as Schema, "");
}

function rowsOf(schema: Schema, path: string): ReferenceRow[] {
  const object = objectIn(schema);
  if (!object) return [{ path, default: defaultOf(schema), description: descriptionOf(schema) }];
  return Object.entries(object).flatMap(([key, inner]) =>
    rowsOf(inner, path === "" ? key : `${path}.${key}`),
  );
}

/** The keys of an object schema, through defaults and unions around it. */
function objectIn({ def }: Schema): Record<string, Schema> | undefined {
  if (def.shape) return def.shape;
  if (def.type === "union" && def.options?.every((option) => objectIn(option) !== undefined)) {
    return Object.assign({}, ...def.options.map(objectIn));
  }
  return def.innerType ? objectIn(def.innerType) : undefined;
}

function defaultOf(schema: Schema): string {
  const derived = schema.meta()?.derived;
  if (derived) return derived;
  if (schema.def.type === "optional") return "none";
  if (schema.def.type !== "default" && schema.def.type !== "prefault") return "required";
  const value = schema.def.defaultValue;
  if (typeof value === "object" && value !== null) {
    if (Array.isArray(value)) return value.length === 0 ? "`[]`" : `\`[${value.join(", ")}]\``;
    return "`{}`";
  }
  return `\`${value}\``;
}

/** The description, and the choices where there are some. */
function descriptionOf(schema: Schema): string {
  const choices = choicesOf(schema);
  const description = schema.description ?? "";
  const named = choices.map((choice) => `\`${choice}\``);
  return named.length > 1
    ? `${named.slice(0, -1).join(", ")} or ${named.at(-1)}: ${description}`
    : description;
}

function choicesOf({ def }: Schema): unknown[] {
  if (def.entries) return Object.values(def.entries);
  if (def.type === "literal") return def.values ?? [];
  if (def.type === "union") return (def.options ?? []).flatMap(choicesOf);
  return def.innerType ? choicesOf(def.innerType) : [];
}

/** The reference as a Markdown table. */
export const configReference = (): string =>
  markdownTable(
    ["path", "default", "meaning"],
    referenceRows().map((row) => [`\`${row.path}\``, row.default, row.description]),
  );
