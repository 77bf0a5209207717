import { InvalidArgumentError, Option } from "@commander-js/extra-typings";
import { CI_SYSTEMS } from "../render/ciFiles.js";
import type { AddCommand } from "./command.js";
import { portOption } from "./options.js";

export const addInit: AddCommand = (program, finish) => {
  program
    .command("init")
    .description("write hephaestus.yaml: a few questions, each with a flag")
    .option("--domain <domain>", "your domain; the registry will be at registry.<domain>")
    .option("--storage <path>", "folder for the images, on the node that holds them")
    .option("--node <hostname>", "node that holds the images, if the Swarm has several")
    .addOption(
      new Option("--traefik-version <major>", "major version of your Traefik")
        .choices(["2", "3"])
        .argParser(traefikVersion),
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
        "add a workflow that checks, deploys, and maintains at fixed times",
      ).choices(CI_SYSTEMS),
    )
    .option("-y, --yes", "use the defaults instead of asking")
    .option("--force", "overwrite existing files")
    .option("-o, --output <folder>", "folder to write to", ".")
    .addHelpText("after", "\nExample:\n  hephaestus init --yes --domain example.com")
    .action(async (options) => finish(await (await import("../actions/init.js")).init(options)));
};

function traefikVersion(value: string): 2 | 3 {
  if (value === "2") return 2;
  if (value === "3") return 3;
  throw new InvalidArgumentError("Enter 2 or 3.");
}
