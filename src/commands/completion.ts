import { Argument, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { ExitCode } from "../errors.js";
import type { CommandTree } from "../terminal/completion.js";
import type { AddCommand } from "./options.js";

export const addCompletion: AddCommand = (program, finish) => {
  program
    .command("completion")
    .description("print a script that completes commands and flags in your shell")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", '\nExample:\n  eval "$(hephaestus completion bash)"')
    .action(async (shell) => {
      const { completionScript } = await import("../terminal/completion.js");
      const { printFile } = await import("../terminal/output.js");
      printFile(completionScript(shell, treeOf(program)));
      finish(ExitCode.ok);
    });
};

const treeOf = (command: CommandUnknownOpts): CommandTree => ({
  name: command.name(),
  description: command.description(),
  flags: [...command.options.map(({ long }) => long ?? ""), "--help"].filter((flag) => flag.startsWith("--")),
  commands: command.commands.map(treeOf),
});
