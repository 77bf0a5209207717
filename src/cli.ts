import { readFileSync } from "node:fs";
import { Command, Option } from "commander";
import { addArchive } from "./cliArchive.js";
import { addChanges, addOpen } from "./cliChanges.js";
import { addCollection, addCompletion, addDays, addHistory, addImages } from "./cliDays.js";
import { addDoctor } from "./cliDoctor.js";
import {
  configOption,
  contextOption,
  port,
  quietOption,
  reportOptions,
  resolveImageOption,
  timeoutOption,
  traefikLine,
} from "./cliOptions.js";
import { addLock, addRotation, addSecrets, addUser } from "./cliUsers.js";
import { EXIT_CODES, ExitCode } from "./errors.js";

/** Each command is imported when it runs, so that --version and --help cost little more than Node itself. */
export async function main(argv: readonly string[]): Promise<number> {
  let exitCode: number = ExitCode.ok;
  const program = buildProgram((code) => {
    exitCode = code;
  });
  try {
    await program.parseAsync([...argv]);
  } catch (error) {
    const { code, exitCode: ofCommander } = error as { code?: string; exitCode?: number };
    const json = argv.includes("--json");
    const isUsage = code?.startsWith("commander.") ?? false;
    if (isUsage && ofCommander === 0) return ExitCode.ok;
    const { showError, writeErrorEvent } = await import("./terminal/showError.js");
    // Commander has shown its own errors by now.
    if (isUsage) {
      if (json)
        writeErrorEvent({
          message: (error as Error).message.replace(/^error: /, ""),
          exitCode: ExitCode.usage,
        });
      return ExitCode.usage;
    }
    return showError(error, { debug: program.opts<{ debug?: boolean }>().debug ?? false, json });
  }
  return exitCode;
}

function packageVersion(): string {
  const text = readFileSync(new URL("../package.json", import.meta.url), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

const exitCodeHelp = (): string =>
  [
    "",
    "Exit codes:",
    ...EXIT_CODES.map(({ code, meaning }) => `  ${String(code).padEnd(4)} ${meaning}`),
  ].join("\n");

/** The whole program; parsing runs a command. */
export function buildProgram(finish: (code: ExitCode) => void): Command {
  const program = new Command("hephaestus")
    .description("Your own container registry on Docker Swarm, behind Traefik and Authelia.")
    .version(packageVersion())
    .option("--debug", "print stack traces with errors")
    .addHelpText("after", exitCodeHelp)
    .showHelpAfterError("(see --help)")
    .exitOverride();
  addInit(program, finish);
  addRender(program, finish);
  addDeploy(program, finish);
  addRotation(program, finish);
  addUser(program, finish);
  addSecrets(program, finish);
  addLock(program, finish);
  addChanges(program, finish);
  addDays(program, finish);
  addImages(program, finish);
  addCollection(program, finish);
  addHistory(program, finish);
  addOpen(program, finish);
  addDoctor(program, finish);
  addArchive(program, finish);
  program
    .command("schema")
    .description("print the JSON Schema of hephaestus.yaml, for editors")
    .addHelpText("after", "\nExample:\n  hephaestus schema > hephaestus.schema.json")
    .action(async () => finish((await import("./commands/schema.js")).schema()));
  addCompletion(program, finish);
  return program;
}

function addInit(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command("init")
    .description("write hephaestus.yaml: a few questions, each with a flag")
    .option("--domain <domain>", "your domain; the registry will be at registry.<domain>")
    .option("--storage <path>", "folder for the images, on the node that holds them")
    .addOption(
      new Option("--traefik-version <line>", "your Traefik's line")
        .choices(["2", "3"])
        .argParser(traefikLine),
    )
    .option("--traefik-network <name>", "overlay network that Traefik is on")
    .addOption(
      new Option("--ui <access>", "who may browse the web library").choices(["public", "sso", "none"]),
    )
    .addOption(
      new Option("--profile <profile>", "local: a trial with ports instead of Traefik")
        .choices(["traefik", "local"])
        .default("traefik"),
    )
    .addOption(port("--registry-port <port>", "port of the registry (local profile)", 5000))
    .addOption(port("--ui-port <port>", "port of the web library (local profile)", 8080))
    .addOption(new Option("--ci <system>", "add a workflow that checks and deploys").choices(["github"]))
    .option("-y, --yes", "take the defaults instead of asking")
    .option("--force", "write over existing files")
    .option("-o, --output <folder>", "folder to write to", ".")
    .addHelpText("after", "\nExample:\n  hephaestus init --yes --domain example.com")
    .action(async (options) => finish(await (await import("./commands/init.js")).init(options)));
}

function addRender(program: Command, finish: (code: ExitCode) => void): void {
  program
    .command("render")
    .description("write docker-compose.yml and the files that it refers to; needs no Docker")
    .addOption(configOption())
    .option("-o, --output <folder>", "folder to write to (default: that of the config file)")
    .option("--stdout", "print the compose file, write nothing")
    .option("--check", "write nothing; exit 1 with a diff when the files on disk are stale")
    .option("--diff", "write nothing; show what would change")
    .addOption(quietOption())
    .addHelpText("after", "\nExample:\n  hephaestus render --check")
    .action(async (options) => finish(await (await import("./commands/render.js")).render(options)));
}

function addDeploy(program: Command, finish: (code: ExitCode) => void): void {
  const command = program
    .command("deploy")
    .description("prepare the host, create the secrets, deploy the stack, wait, and ask at the front door")
    .addOption(configOption())
    .option("-o, --output <folder>", "folder of docker-compose.yml (default: that of the config file)")
    .addOption(contextOption())
    .option("--host <user@host>", "node that holds the storage, prepared over ssh")
    .option("--skip-host-setup", "leave the host as it is")
    .option("--password-stdin", "read the user's password from standard input")
    .option("--generate-password", "generate a password and show it once, at the end")
    .addOption(timeoutOption())
    .option("--no-wait", "do not wait for the rollout")
    .option("--no-verify", "do not ask at the front door")
    .option("--dry-run", "show what would change, touch nothing")
    .addOption(resolveImageOption())
    .addHelpText(
      "after",
      "\nThe password comes from REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, from standard input,\nfrom a prompt, or is generated. Where the secrets exist, users are kept, and\na password that is given and new is rotated in.\n\nExample:\n  hephaestus deploy --generate-password",
    )
    .action(async ({ skipHostSetup, ...options }) =>
      finish(await (await import("./commands/deploy.js")).deploy({ ...options, hostSetup: !skipHostSetup })),
    );
  reportOptions(command);
}
