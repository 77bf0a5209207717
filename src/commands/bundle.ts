import { Option } from "@commander-js/extra-typings";
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
    .option("--from-engine", "take the images that this engine has and ask no registry")
    .option("--force", "overwrite the file")
    .addOption(jsonOption())
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nThe images are those that the stack runs, for the platform of the engine, which pulls what it lacks. The file is an\narchive that docker load reads. It has no secrets.\n\nExample:\n  hephaestus bundle forge.bundle --from-engine",
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
