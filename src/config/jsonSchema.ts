import { z } from "zod";
import { configSchema } from "./schema/index.js";

/** The JSON Schema (draft 2020-12) of hephaestus.yaml, for editors. `domain` also takes ${NAME}. */
export function jsonSchema(): Record<string, unknown> {
  return z.toJSONSchema(configSchema, { io: "input", unrepresentable: "any" }) as Record<string, unknown>;
}
