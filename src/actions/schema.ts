import { jsonSchema } from "../config/jsonSchema.js";
import { ExitCode } from "../errors.js";

/** Prints the JSON Schema of hephaestus.yaml. */
export function schema(): ExitCode {
  process.stdout.write(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return ExitCode.ok;
}
