import { Option } from "@commander-js/extra-typings";
import type { AddCommand } from "./command.js";
import { editOptions, loginOptions, stackOptions, wholeNumber } from "./options.js";

const timeLimit = () =>
  new Option("--timeout <seconds>", "time limit of the copies")
    .default(3600)
    .argParser(wholeNumber(1, 86_400));

export const addMirror: AddCommand = (program, finish) => {
  const actions = () => import("../actions/mirror.js");
  const mirror = program
    .command("mirror")
    .description("copy images of other registries here")
    .addHelpText("after", "\nExample:\n  hephaestus mirror status");
  stackOptions(mirror.command("run"))
    .description("copy now what the config mirrors, all of it or the sources of one name")
    .argument("[name]", "name of sources; self names the stack's own images")
    .addOption(timeLimit())
    .addHelpText(
      "after",
      "\nImages that are the same already are left as they are. Nothing is deleted here, whatever happens to a source.\n\nExample:\n  hephaestus mirror run alpine",
    )
    .action(async (name, options) => finish(await (await actions()).mirrorRun(name, options)));
  loginOptions(stackOptions(mirror.command("status")))
    .description("compare each image here with its source: digest here, digest there, when it was copied")
    .addOption(timeLimit())
    .addHelpText(
      "after",
      "\nThe comparison runs in the Swarm. A digest at a source that this machine does not reach is shown as a dash.\n\nExample:\n  hephaestus mirror status",
    )
    .action(async (options) => finish(await (await actions()).mirrorStatus(options)));
  loginOptions(editOptions(mirror.command("self")))
    .description("mirror the stack's own images, in the config file; with --use, deploy takes them from here")
    .addOption(
      new Option("--use", "take the stack's images from its own registry, where all of them are").conflicts(
        "off",
      ),
    )
    .option("--off", "stop mirroring the stack's own images")
    .addHelpText(
      "after",
      "\nThe registry may be down: nodes start tasks from the images that they have. For a new node the way back is to run\nthis command without --use, then render and deploy.\n\nExample:\n  hephaestus mirror self --dry-run",
    )
    .action(async (options) => finish(await (await import("../actions/mirrorSelf.js")).mirrorSelf(options)));
};
