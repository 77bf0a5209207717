import type { AddCommand } from "./command.js";

export const addSchema: AddCommand = (program, finish) => {
  program
    .command("schema")
    .description("print the JSON Schema of hephaestus.yaml, for editors")
    .addHelpText("after", "\nExample:\n  hephaestus schema > hephaestus.schema.json")
    .action(async () => finish((await import("../actions/schema.js")).schema()));
};
