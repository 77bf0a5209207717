import { ExitCode } from "../errors.js";
import { thisProgram } from "../host/thisProgram.js";
import { COMMIT } from "../packageFiles.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { type AddCommand, jsonOption } from "./options.js";

export const addVersion: AddCommand = (program, finish) => {
  const version = program.version();
  program
    .command("version")
    .description("show what this program is and where it came from")
    .addOption(jsonOption())
    .addHelpText("after", "\nExample:\n  hephaestus version")
    .action(async (flags) => {
      const { kind, path, platform } = thisProgram();
      const node = process.versions.node;
      const reporter = await chooseReporter(flags);
      const data = { version, commit: COMMIT, kind, path, node, platform };
      reporter.result(data, [
        `hephaestus ${version}, built from ${COMMIT ? `commit ${COMMIT}` : "an unknown commit"}`,
        `${kind}: ${path}`,
        `Node ${node} on ${platform}`,
      ]);
      finish(ExitCode.ok);
    });
};
