import { dirname } from "node:path";
import { type Finding, formatFinding } from "../config/configFindings.js";
import type { Config } from "../config/resolve.js";
import { ExitCode } from "../errors.js";
import { readConfig } from "../host/configFile.js";
import { readFrom, writeFiles } from "../host/files.js";
import { compare } from "../render/compare.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { loadTemplates } from "../render/templates.js";
import { renderFiles } from "../stack.js";
import { print, printFile, say } from "../terminal/output.js";
import type { AddCommand } from "./command.js";
import { configOption, outputOption, quietOption } from "./options.js";
import { rulesTable } from "./rulesTable.js";

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
    .action(async (options) => finish(await render(options)));
};

interface RenderOptions {
  config: string;
  output?: string;
  stdout?: boolean;
  check?: boolean;
  diff?: boolean;
  explain?: boolean;
  quiet?: boolean;
}

export interface Rendered {
  config: Config;
  /** Findings of the config that stop nothing. */
  warnings: Finding[];
  /** Folder of the compose file. */
  folder: string;
  files: RenderedFile[];
}

/** Reads a config and renders it; warnings go to standard error. */
export async function readAndRender(configFile: string, output: string | undefined): Promise<Rendered> {
  const rendered = await renderConfig(configFile, output);
  for (const warning of rendered.warnings) say(formatFinding(warning));
  return rendered;
}

/** Reads a config and renders it. */
export async function renderConfig(configFile: string, output: string | undefined): Promise<Rendered> {
  const { config, warnings } = await readConfig(configFile);
  // The header names the file without its folder: the same config gives the same bytes wherever it lies.
  const source = configFile.replace(/^.*[/\\]/, "");
  return {
    config,
    warnings,
    folder: output ?? dirname(configFile),
    files: renderFiles(config, loadTemplates(), source),
  };
}

/** Writes the stack's files, or shows or checks them. Needs no Docker and no network. */
async function render(options: RenderOptions): Promise<ExitCode> {
  const { config, folder, files } = await readAndRender(options.config, options.output);
  if (options.explain) {
    print(rulesTable(config).join("\n"));
    return ExitCode.ok;
  }
  if (options.stdout) {
    printFile(files[0]?.text ?? "");
    return ExitCode.ok;
  }
  const differing = compare(files, readFrom(folder)).filter(({ state }) => state !== "current");
  if (options.check || options.diff) {
    for (const { diff } of differing) printFile(diff);
    if (!options.check || differing.length === 0) return ExitCode.ok;
    const paths = differing.map(({ path, state }) => `${path} (${state})`).join(", ");
    say(`stale: ${paths}\n    Write them with: hephaestus render`);
    return ExitCode.stale;
  }
  await writeFiles(folder, files);
  if (options.quiet) return ExitCode.ok;
  const changed = new Set(differing.map(({ path }) => path));
  for (const { path } of files) print(`${changed.has(path) ? "wrote" : "unchanged"} ${path}`);
  return ExitCode.ok;
}
