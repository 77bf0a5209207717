import { jsonSchema } from "../config/jsonSchema.js";
import { ExitCode } from "../errors.js";
import { printFile } from "../terminal/output.js";

/** Prints the JSON Schema of hephaestus.yaml. */
export function schema(): ExitCode {
  printFile(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
  return ExitCode.ok;
}
