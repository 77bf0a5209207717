import { jsonSchema } from "../config/schema/index.js";
import { ExitCode } from "../errors.js";
import { printFile } from "../terminal/output.js";
import type { AddCommand } from "./options.js";

export const addSchema: AddCommand = (program, finish) => {
  program
    .command("schema")
    .description("print the JSON Schema of hephaestus.yaml, for editors")
    .addHelpText("after", "\nExample:\n  hephaestus schema > hephaestus.schema.json")
    .action(() => {
      printFile(`${JSON.stringify(jsonSchema(), null, 2)}\n`);
      finish(ExitCode.ok);
    });
};
