import { type Command, Option } from "commander";
import { configOption, contextOption, reportOptions, timeoutOption, wholeNumber } from "./cliOptions.js";
import { PASSWORD_LENGTH } from "./credentials/password.js";
import type { ExitCode } from "./errors.js";

type Finish = (code: ExitCode) => void;

/** What every command has that works on the users or secrets of a running stack. */
export const stackOptions = (command: Command): Command =>
  reportOptions(command.addOption(configOption()).addOption(contextOption()));

/** What every command has that works on the users: it needs no file of the stack. */
const userOptions = (command: Command): Command =>
  stackOptions(command).option(
    "--stack <name>",
    "name of a running stack, where its hephaestus.yaml is not at hand",
  );

/** What every command has that rolls the registry. */
export const rollOptions = (command: Command): Command =>
  command
    .addOption(timeoutOption())
    .option("--no-verify", "do not ask at the front door")
    .option("--dry-run", "show what would change, touch nothing");

const passwordOptions = (command: Command): Command =>
  command
    .option("--generate", "generate the new password (default) and show it once, when it works")
    .option("--password-stdin", "read the new password from standard input")
    .addOption(
      new Option("--length <characters>", "length of a generated password, 5.8 bits a character")
        .default(PASSWORD_LENGTH)
        .argParser(wholeNumber(16, 72)),
    )
    .option("-o, --output <file>", "write the new password to a file (mode 0600) instead of showing it");

export function addRotation(program: Command, finish: Finish): void {
  passwordOptions(rollOptions(userOptions(program.command("rotate-password"))))
    .description("give a user a new password, without a failed pull")
    .option("--user <name>", "whose (default: REGISTRY_USERNAME, else the only user)")
    .addHelpText(
      "after",
      "\nOnly the registry is rolled; pulls, and pushes of other users, go on. If it fails, the old password is valid.\nInto a pipe goes the password alone.\n\nExample:\n  hephaestus rotate-password --user ci --output ci-password",
    )
    .action(async (options) => finish(await (await import("./commands/users.js")).rotatePassword(options)));
}

export function addUser(program: Command, finish: Finish): void {
  const user = program
    .command("user")
    .description("the people and machines that push")
    .addHelpText("after", "\nExample:\n  hephaestus user list");
  const commands = () => import("./commands/users.js");
  passwordOptions(rollOptions(userOptions(user.command("add <name>"))))
    .description("add a user")
    .addHelpText("after", "\nExample:\n  hephaestus user add ci --output ci-password")
    .action(async (name, options) => finish(await (await commands()).userAdd(name, options)));
  rollOptions(userOptions(user.command("remove <name>")))
    .description("remove a user; the last one stays")
    .addHelpText("after", "\nExample:\n  hephaestus user remove ci")
    .action(async (name, options) => finish(await (await commands()).userRemove(name, options)));
  passwordOptions(rollOptions(userOptions(user.command("passwd <name>"))))
    .description("give a user a new password: rotate-password --user <name>")
    .addHelpText("after", "\nExample:\n  hephaestus user passwd ci --password-stdin < ci-password")
    .action(async (name, options) =>
      finish(await (await commands()).rotatePassword({ ...options, user: name })),
    );
  userOptions(user.command("list"))
    .description("show the users, with the bcrypt cost and the age of their passwords")
    .addHelpText("after", "\nExample:\n  hephaestus user list --json")
    .action(async (options) => finish(await (await commands()).userList(options)));
}

export function addSecrets(program: Command, finish: Finish): void {
  const commands = () => import("./commands/secrets.js");
  const secrets = stackOptions(program.command("secrets"))
    .description("show the stack's secrets: generations, ages, who uses them, what is left over")
    .addHelpText("after", "\nExample:\n  hephaestus secrets")
    .action(async (options) => finish(await (await commands()).secretsList(options)));
  stackOptions(secrets.command("prune"))
    .description("remove secrets that nothing uses and no deploy would keep")
    .option("--dry-run", "tell what would be removed")
    .addHelpText("after", "\nExample:\n  hephaestus secrets prune --dry-run")
    .action(async (_options, command) =>
      finish(await (await commands()).secretsPrune(command.optsWithGlobals())),
    );
}

/** The lock that keeps two operations on one stack apart. */
export function addLock(program: Command, finish: Finish): void {
  const commands = () => import("./commands/lock.js");
  const lock = stackOptions(program.command("lock"))
    .description("show which operation works on the stack, and since when")
    .addHelpText("after", "\nExample:\n  hephaestus lock")
    .action(async (options) => finish(await (await commands()).lockShow(options)));
  stackOptions(lock.command("release"))
    .description("release the lock of an operation that has ended without doing so")
    .option("-y, --yes", "do not ask")
    .addHelpText(
      "after",
      "\nA lock is released by itself 75 seconds after the last sign of life of its holder.\n\nExample:\n  hephaestus lock release --yes",
    )
    .action(async (_options, command) =>
      finish(await (await commands()).lockRelease(command.optsWithGlobals())),
    );
}
