import { grantText, PERMISSIONS, repositoryRules } from "../access/repositoryRules.js";
import type { Config } from "../config/resolve.js";
import { ExitCode } from "../errors.js";
import { readFrom, writeFiles } from "../host/files.js";
import { compare } from "../render/compare.js";
import { print, printFile, say } from "../terminal/output.js";
import { table } from "../terminal/table.js";
import { type AddCommand, configOption, outputOption, quietOption } from "./options.js";
import { readAndRender } from "./session.js";

export const addRender: AddCommand = (program, finish) => {
  program
    .command("render")
    .description("write docker-compose.yml and the files that it refers to; needs no Docker")
    .addOption(configOption())
    .addOption(outputOption())
    .option("--stdout", "print the compose file, write nothing")
    .option("--check", "write nothing; print a diff and exit 1 if the files on disk are stale")
    .option("--explain", "write nothing; print the rules of access as a table")
    .option("--diff", "write nothing; print what would change")
    .addOption(quietOption())
    .addHelpText("after", "\nExample:\n  hephaestus render --check")
    .action(async (flags) => {
      const { config, folder, files } = await readAndRender(flags.config, flags.output);
      if (flags.explain) {
        print(rulesTable(config).join("\n"));
        return finish(ExitCode.ok);
      }
      if (flags.stdout) {
        printFile(files[0]?.text ?? "");
        return finish(ExitCode.ok);
      }
      const differing = compare(files, readFrom(folder)).filter(({ state }) => state !== "current");
      if (flags.check || flags.diff) {
        for (const { diff } of differing) printFile(diff);
        if (!flags.check || differing.length === 0) return finish(ExitCode.ok);
        const paths = differing.map(({ path, state }) => `${path} (${state})`).join(", ");
        say(`stale: ${paths}\n    Write them with: hephaestus render`);
        return finish(ExitCode.stale);
      }
      await writeFiles(folder, files);
      const changed = new Set(differing.map(({ path }) => path));
      for (const { path } of flags.quiet ? [] : files)
        print(`${changed.has(path) ? "wrote" : "unchanged"} ${path}`);
      finish(ExitCode.ok);
    });
};

/** The rules of access as a table. */
const rulesTable = (config: Config): string[] =>
  table(
    ["RULE", "REPOSITORIES", "PULL", "PUSH", "DELETE", "IMMUTABLE"],
    repositoryRules(config).map((rule) => [
      rule.number === 0 ? "other" : String(rule.number),
      rule.repositories.join(", "),
      ...PERMISSIONS.map((permission) => grantText(rule[permission])),
      rule.immutable.join(", ") || "-",
    ]),
  );
