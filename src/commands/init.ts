import { existsSync } from "node:fs";
import { join, resolve as resolvePath } from "node:path";
import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { initialConfig, SCHEMA_FILE, trialConfig } from "../config/initialConfig.js";
import { loadConfig } from "../config/load.js";
import type { Config } from "../config/resolve.js";
import { jsonSchema } from "../config/schema/index.js";
import { boundedDocker, dockerCommand } from "../docker/run.js";
import { readTimeout, readTimeoutFlag } from "../doctor/traefikTimeout.js";
import { ExitCode, OperatorError } from "../errors.js";
import { CONFIG_FILE } from "../host/configFile.js";
import { readFrom, writeFiles } from "../host/files.js";
import { CI_SYSTEMS, ciFiles, ciPaths } from "../render/ciFiles.js";
import type { RenderedFile } from "../render/renderedFile.js";
import { loadTemplates } from "../render/templates.js";
import { listServices } from "../swarm/objects.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { print } from "../terminal/output.js";
import { gatherAnswers, type InitFlags } from "./initAnswers.js";
import { type AddCommand, portOption } from "./options.js";
import { flagOf } from "./schedule.js";

export const addInit: AddCommand = (program, finish) => {
  program
    .command("init")
    .description("write hephaestus.yaml: a few questions, each with a flag")
    .option("--domain <domain>", "your domain; the registry will be at registry.<domain>")
    .option("--storage <path>", "folder for the images, on the node that holds them")
    .option("--node <hostname>", "node that holds the images, if the Swarm has several")
    .addOption(
      new Option("--registry-version <major>", "line of the Docker Registry")
        .choices(["2", "3"])
        .default(3 as const)
        .argParser(twoOrThree),
    )
    .addOption(
      new Option("--traefik-version <major>", "major version of your Traefik")
        .choices(["2", "3"])
        .argParser(twoOrThree),
    )
    .option("--traefik-network <name>", "overlay network of Traefik")
    .addOption(
      new Option("--ui <access>", "who can browse the web library").choices(["public", "sso", "none"]),
    )
    .addOption(
      new Option("--profile <profile>", "local: a trial that publishes ports and needs no Traefik")
        .choices(["traefik", "local"])
        .default("traefik"),
    )
    .addOption(portOption("--registry-port <port>", "port of the registry (local profile)", 5000))
    .addOption(portOption("--ui-port <port>", "port of the web library (local profile)", 8080))
    .addOption(
      new Option(
        "--ci <system>",
        "add a workflow that checks, deploys, and runs maintain at fixed times",
      ).choices(CI_SYSTEMS),
    )
    .option("-y, --yes", "use the defaults instead of asking")
    .option("--force", "overwrite existing files")
    .option("-o, --output <folder>", "folder to write to", ".")
    .addHelpText(
      "after",
      "\nIf docker reaches a manager, the defaults are what the Swarm has, and init says what it found: Traefik with its\nnetwork, entrypoint, resolver and constraint, the middleware of Authelia, nodes, a kernel without IPVS. Without a\nSwarm they are always the same. Flags have precedence; without --yes and without a terminal it does not look.\n\nExample:\n  hephaestus init --yes --domain example.com",
    )
    .action(async (options) => {
      const folder = resolvePath(options.output);
      const planned = [CONFIG_FILE, ...(options.ci ? ciPaths(options.ci) : [])];
      const existing = planned.filter((path) => existsSync(join(folder, path)));
      if (existing.length > 0 && !options.force) {
        throw new OperatorError(`${existing.join(" and ")} exists already`, {
          where: options.output,
          remedy: "Use --force to overwrite it, or --output for another folder.",
          exitCode: ExitCode.usage,
        });
      }

      const isLocal = options.profile === "local";
      if (isLocal) refuseUnused(options);
      const config = isLocal
        ? trialConfig(
            options.storage ? resolvePath(options.storage) : join(folder, "registry-data"),
            { registry: options.registryPort, ui: options.uiPort },
            options.registryVersion,
          )
        : initialConfig(await gatherAnswers(options, isInteractive()));
      // What init writes has to be what the schema takes, whatever the flags said.
      const { config: resolved } = loadConfig(config, CONFIG_FILE, {
        DOMAIN_NAME: "example.com",
        ...process.env,
      });

      const files: RenderedFile[] = [
        { path: CONFIG_FILE, text: config },
        { path: SCHEMA_FILE, text: `${JSON.stringify(jsonSchema(), null, 2)}\n` },
        ...gitignore(folder, isLocal ? ["registry-data/"] : []),
        ...(options.ci ? ciFiles(options.ci, resolved, loadTemplates()) : []),
      ];
      await writeFiles(folder, files);
      print(files.map(({ path }) => `wrote ${path}`).join("\n"));
      print("Next: look at hephaestus.yaml, then run: hephaestus render && hephaestus deploy");
      const hint = await readTimeoutHint(resolved);
      if (hint) print(hint);
      finish(ExitCode.ok);
    });
};

function twoOrThree(value: string): 2 | 3 {
  if (value === "2") return 2;
  if (value === "3") return 3;
  throw new InvalidArgumentError("Enter 2 or 3.");
}

const IGNORED = [
  "# Secrets of hephaestus, written only when asked for",
  ".hephaestus/secrets/",
  "*.htpasswd",
  "*.backup*",
];

/** @throws OperatorError naming the flags that a trial has no use for: it is on localhost, without Traefik */
function refuseUnused({ domain, node, traefikVersion, traefikNetwork, ui }: InitFlags): void {
  const given = Object.entries({ domain, node, traefikVersion, traefikNetwork, ui })
    .filter(([, value]) => value !== undefined)
    .map(([name]) => flagOf(name));
  if (given.length === 0) return;
  throw new OperatorError(`the local profile does not use ${given.join(", ")}`, {
    where: "init",
    remedy: "Leave out these flags, or leave out --profile local.",
    exitCode: ExitCode.usage,
  });
}

/** That Traefik cuts large layers, as far as docker shows it from here; undefined where it does not. */
async function readTimeoutHint(config: Config): Promise<string | undefined> {
  const services = listServices(boundedDocker(dockerCommand({}), 5000));
  const { finding, unknown } = readTimeout(config, await services.catch(() => []));
  if (finding) return `${finding.message}. ${finding.remedy}`;
  return unknown && `Large layers need a Traefik that is started with: ${readTimeoutFlag(config)}`;
}

/** The .gitignore with our entries behind what it has; no file when nothing is missing. */
function gitignore(folder: string, more: readonly string[]): RenderedFile[] {
  const present = readFrom(folder)(".gitignore") ?? "";
  const lines = new Set(present.split(/\r?\n/));
  const missing = [...IGNORED, ...more].filter((line) => !lines.has(line));
  if (missing.length === 0) return [];
  const gap = present === "" || present.endsWith("\n") ? "" : "\n";
  return [{ path: ".gitignore", text: `${present}${gap}${missing.join("\n")}\n` }];
}
