import { Argument, type Command, InvalidArgumentError, Option } from "commander";
import { configOption, contextOption, quietOption, timeoutOption, wholeNumber } from "./cliOptions.js";
import { rollOptions, stackOptions } from "./cliUsers.js";
import type { ExitCode } from "./errors.js";
import type { CommandTree } from "./terminal/completion.js";

type Finish = (code: ExitCode) => void;

/** Commands for the days after a deploy. */
export function addDays(program: Command, finish: Finish): void {
  stackOptions(program.command("status"))
    .description("show how the stack is, on one screen; exits 1 when something is wrong")
    .option("--watch", "show it again every 2 seconds")
    .option("--no-verify", "do not ask at the front door")
    .addHelpText("after", "\nExample:\n  hephaestus status --json")
    .action(async (options) => finish(await (await import("./commands/status.js")).status(options)));
  program
    .command("logs [service]")
    .description("print the logs of the stack, or of one of its services")
    .addOption(new Option("--config <file>", "config file").default("hephaestus.yaml"))
    .addOption(contextOption())
    .option("-f, --follow", "go on as they come")
    .addOption(
      new Option("-n, --tail <lines>", "lines of each task to begin with")
        .default(50)
        .argParser(wholeNumber(0, 100_000)),
    )
    .addHelpText("after", "\nExample:\n  hephaestus logs gateway --tail 20")
    .action(async (service, options) =>
      finish(await (await import("./commands/logs.js")).logs(service, options)),
    );
  stackOptions(program.command("destroy"))
    .description("remove the stack, its secrets and its configs; the images stay")
    .option("--data", "remove the images too")
    .option("-y, --yes", "do not ask")
    .addOption(timeoutOption())
    .addHelpText(
      "after",
      "\nNothing else in the Swarm is touched. Without --yes the stack's name has to be typed.\n\nExample:\n  hephaestus destroy --yes",
    )
    .action(async (options) => finish(await (await import("./commands/destroy.js")).destroy(options)));
}

/** Commands for what the registry stores. */
export function addImages(program: Command, finish: Finish): void {
  program
    .command("prune-tags")
    .description(
      "delete tags by age or number; an image that shares its manifest with a tag that stays is left",
    )
    .addOption(configOption())
    .addOption(
      new Option("--keep-last <number>", "the newest matching tags of each repository stay").argParser(
        wholeNumber(0, 1_000_000),
      ),
    )
    .addOption(
      new Option("--older-than <days>", "only what was built longer ago, such as 30d").argParser(days),
    )
    .option("--match <glob>", "tags that may go", "*")
    .option("--repository <glob>", "repositories to look at; ** crosses slashes", "**")
    .option("--user <name>", "who deletes (default: REGISTRY_USERNAME, else credentials.username)")
    .option("--password-stdin", "read their password from standard input")
    .option("--dry-run", "show what would go, delete nothing")
    .option("--json", "report as one JSON object a line")
    .addOption(quietOption())
    .addHelpText(
      "after",
      "\nNeeds registry.delete: true. Signatures, attestations and SBOMs stay and go with their image. An image without a\ncredible date is never old; where dates are equal or unknown, versions are compared by their numbers.\n\nExample:\n  hephaestus prune-tags --match 'pr-*' --older-than 30d --keep-last 5 --dry-run",
    )
    .action(async (options) => finish(await (await import("./commands/pruneTags.js")).pruneTags(options)));
}

/** What was done, and the way back. */
export function addHistory(program: Command, finish: Finish): void {
  const commands = () => import("./commands/history.js");
  stackOptions(program.command("history"))
    .description("list deploys, rotations and more: who, when, which config, images and generations")
    .addHelpText(
      "after",
      "\nIt is kept in the Swarm, the last 20 deploys long.\n\nExample:\n  hephaestus history",
    )
    .action(async (options) => finish(await (await commands()).history(options)));
  rollOptions(stackOptions(program.command("rollback")))
    .argument(
      "[number]",
      "of the record (default: the newest that differs from what runs)",
      wholeNumber(1, 1e9),
    )
    .description("deploy a recorded state again: its files, its images by digest")
    .addHelpText(
      "after",
      "\nThe users and their passwords stay as they are.\n\nExample:\n  hephaestus rollback --dry-run",
    )
    .action(async (number, options) => finish(await (await commands()).rollback(number, options)));
}

/** The garbage collection. */
export function addCollection(program: Command, finish: Finish): void {
  stackOptions(program.command("gc"))
    .description("free the space of blobs that no image needs; pulls go on, pushes are refused meanwhile")
    .option("--delete-untagged", "manifests that no tag needs go first")
    .option("--dry-run", "show what would go, remove nothing")
    .addOption(
      new Option(
        "--schedule <calendar>",
        'print units of systemd that run it, such as "Sun 04:00"',
      ).argParser(calendar),
    )
    .addOption(
      new Option("--timeout <seconds>", "time for the collection")
        .default(3600)
        .argParser(wholeNumber(1, 86_400)),
    )
    .addHelpText(
      "after",
      "\nUploads that are running may end first (15 minutes at most). Whatever happens, pushes are taken again afterwards.\n\nExample:\n  hephaestus gc --dry-run",
    )
    .action(async (options) => finish(await (await import("./commands/gc.js")).gc(options)));
}

const calendar = (value: string): string => {
  if (/^[\w*:,.~/ -]{1,80}$/.test(value)) return value;
  throw new InvalidArgumentError("Write it as systemd.time(7) has it, such as: Sun 04:00");
};

const days = (value: string): number => {
  const number = /^(\d{1,5})d?$/.exec(value)?.[1];
  if (number === undefined) throw new InvalidArgumentError("Write days, such as 30d.");
  return Number(number);
};

/** The completion of a shell, from all commands that the program has. */
export function addCompletion(program: Command, finish: Finish): void {
  program
    .command("completion")
    .description("print a script that completes commands and flags in your shell")
    .addArgument(new Argument("<shell>").choices(["bash", "zsh", "fish"]))
    .addHelpText("after", '\nExample:\n  eval "$(hephaestus completion bash)"')
    .action(async (shell) => {
      const { completionScript } = await import("./terminal/completion.js");
      process.stdout.write(completionScript(shell, treeOf(program)));
      finish(0);
    });
}

const treeOf = (command: Command): CommandTree => ({
  name: command.name(),
  description: command.description(),
  flags: [...command.options.map(({ long }) => long ?? ""), "--help"].filter((flag) => flag.startsWith("--")),
  commands: command.commands.map(treeOf),
});
