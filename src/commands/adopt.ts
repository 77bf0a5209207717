import { existsSync } from "node:fs";
import { join } from "node:path";
import { adoptedText, planLines, settled } from "../adopt/adoptedConfig.js";
import { type Found, findInCompose, findRunning } from "../adopt/findOld.js";
import { type AdoptPlan, planAdoption } from "../adopt/plan.js";
import { SCHEMA_FILE } from "../config/initialConfig.js";
import { jsonSchema } from "../config/schema/index.js";
import { dockerCommand } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { CONFIG_FILE } from "../host/configFile.js";
import { writeFiles } from "../host/files.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { type AddCommand, contextOption, dryRunOption, reportOptions } from "./options.js";

export const addAdopt: AddCommand = (program, finish) => {
  reportOptions(program.command("adopt"))
    .description("look at the registry that you have, and write a hephaestus.yaml that keeps it")
    .argument("[name]", "its stack, its service or its container, if there are several registries")
    .option("--compose <file>", "look at a compose file instead of what runs")
    .option("--stack <name>", "name of the new stack, which is not that of the old one (default: hephaestus)")
    .option("--domain <domain>", "your domain (default: the part of the host name behind the first dot)")
    .option("--force", "overwrite an existing hephaestus.yaml")
    .option("-o, --output <folder>", "folder to write to", ".")
    .addOption(contextOption())
    .addOption(dryRunOption())
    .addHelpText(
      "after",
      "\nNothing that runs is changed. What could not be carried is listed, and stands in the file as comments.\n\nExample:\n  hephaestus adopt --dry-run",
    )
    .action(async (name, { compose, stack, domain, force = false, output, context, dryRun, ...report }) => {
      const reporter = await chooseReporter(report);
      const found =
        compose === undefined
          ? await findRunning(dockerCommand({ context }), name)
          : await findInCompose(compose, name ?? "registry");
      const plan = planOf(found, stack, domain);
      const { services, config, users, leftOut, toDo, refused } = plan;
      const path = join(output, CONFIG_FILE);
      if (refused.length === 0 && !dryRun) {
        if (existsSync(path) && !force) throw exists(path);
        await writeFiles(output, [
          { path: CONFIG_FILE, text: adoptedText(plan) },
          { path: SCHEMA_FILE, text: `${JSON.stringify(jsonSchema(), null, 2)}\n` },
        ]);
      }
      reporter.result({ services, config, users: users?.from ?? null, leftOut, toDo, refused }, [
        ...planLines(plan),
        ...(refused.length > 0 || dryRun ? [] : [`wrote ${path}`]),
      ]);
      finish(refused.length > 0 ? ExitCode.preflight : ExitCode.ok);
    });
};

const DEFAULT_STACK = "hephaestus";

/** @throws OperatorError if the new stack would have the name of the old one */
function planOf(
  { registry, ui, surroundings }: Found,
  wanted: string | undefined,
  domain: string | undefined,
): AdoptPlan {
  const stack = wanted ?? (registry.stack === DEFAULT_STACK ? `${DEFAULT_STACK}-registry` : DEFAULT_STACK);
  if (stack === registry.stack)
    throw new OperatorError(
      "the old stack has this name, and both are there until the new one has proved itself",
      {
        where: stack,
        remedy: "Give the new stack another name with --stack.",
        exitCode: ExitCode.usage,
      },
    );
  return settled(planAdoption(registry, ui, { ...surroundings, stack, domain }));
}

const exists = (path: string) =>
  new OperatorError("exists already", {
    where: path,
    remedy: "Use --force to overwrite it, --output for another folder, or --dry-run to look only.",
    exitCode: ExitCode.usage,
  });
