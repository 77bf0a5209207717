import { InvalidArgumentError, Option } from "commander";
import { PLATFORM } from "../config/schema/imageMirror.js";
import type { AddCommand } from "./command.js";
import { configOption, contextOption, jsonOption, quietOption } from "./options.js";

export const addBundle: AddCommand = (program, finish) => {
  const actions = () => import("../actions/bundle.js");
  const tool = `hephaestus ${program.version()}`;
  const bundle = program
    .command("bundle")
    .description("put this program, the stack and its images into one file, for a Swarm without internet")
    .argument("<file>", "file to write")
    .addOption(configOption())
    .addOption(contextOption())
    .addOption(
      new Option("--platform <platform>", "platform of the nodes (default: that of the engine)").argParser(
        platform,
      ),
    )
    .option("--from-engine", "take the images from this engine and ask no registry")
    .option("--force", "overwrite the file")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nImages come from their registries, by the digests that the stack runs, or else from this engine. The file is an\narchive that docker load reads. It has no secrets. REGISTRY_MIRROR_LOGINS has logins at registries.\n\nExample:\n  hephaestus bundle forge.bundle --from-engine",
    )
    .action(async (file, options) => finish(await (await actions()).bundle(file, { ...options, tool })));
  bundle
    .command("load")
    .description("give the images of a bundle to this engine, and write the files of its stack")
    .argument("<file>", "bundle")
    .addOption(contextOption())
    .addOption(new Option("-o, --output <folder>", "folder for the files (default: the name of the stack)"))
    .option("--force", "overwrite files that differ")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nEvery byte is checked before anything is done. Afterwards hephaestus deploy --resolve-image never needs no network.\n\nExample:\n  hephaestus bundle load forge.bundle || echo none yet",
    )
    .action(async (file, _options, command) =>
      finish(await (await actions()).bundleLoad(file, command.optsWithGlobals())),
    );
};

function platform(value: string): string {
  if (PLATFORM.test(value)) return value;
  throw new InvalidArgumentError("Enter it as linux/amd64 or linux/arm/v7.");
}
