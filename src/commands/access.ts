import { REPOSITORY_NAME } from "../access/glob.js";
import { grantText, includes, PERMISSIONS, repositoryRules, ruleOf } from "../access/repositoryRules.js";
import { USER_NAME } from "../credentials/userNames.js";
import { ExitCode, OperatorError } from "../errors.js";
import { chooseReporter } from "../terminal/chooseReporter.js";
import { table } from "../terminal/table.js";
import type { AddCommand } from "./command.js";
import { configOption, jsonOption } from "./options.js";
import { readAndRender } from "./render.js";

export const addAccess: AddCommand = (program, finish) => {
  program
    .command("access <user> <repository>")
    .description("show what a user may do with a repository, and which rule says so; needs no Docker")
    .addOption(configOption())
    .option("--groups <groups>", "groups of the user in Authelia, separated by commas", (value) =>
      value.split(","),
    )
    .addOption(jsonOption())
    .addHelpText(
      "after",
      "\nThe user anonymous stands for someone without a login.\n\nExample:\n  hephaestus access ann team-a/app",
    )
    .action(async (user, repository, options) => finish(await access(user, repository, options)));
};

interface AccessFlags {
  config: string;
  /** Groups that Authelia has the user in. */
  groups?: string[];
  json?: boolean;
}

/** The word for someone without a login. */
const NO_LOGIN = "anonymous";

/** What a user may do with a repository, and which rule says so. */
async function access(user: string, repository: string, flags: AccessFlags): Promise<ExitCode> {
  const { config } = await readAndRender(flags.config, undefined);
  if (!USER_NAME.test(user))
    throw new OperatorError("is not the name of a user", {
      where: user,
      remedy:
        "Use letters, digits and . _ @ -. Names that begin with hephaestus- or hephaestus. are those of the stack itself.",
      exitCode: ExitCode.usage,
    });
  if (!new RegExp(`^${REPOSITORY_NAME}$`).test(repository))
    throw new OperatorError("is not the name of a repository", {
      where: repository,
      remedy: "Write it without the host and without a tag, such as team-a/app.",
      exitCode: ExitCode.usage,
    });
  const rule = ruleOf(repositoryRules(config), repository);
  const caller = { user: user === NO_LOGIN ? undefined : user, groups: flags.groups };
  const may = PERMISSIONS.map((permission) => ({
    permission,
    allowed: includes(rule[permission], caller) && (permission !== "delete" || config.registry.delete),
  }));
  const reporter = await chooseReporter(flags);
  reporter.result(
    {
      user: caller.user ?? null,
      repository,
      rule: rule.number || null,
      ...Object.fromEntries(may.map(({ permission, allowed }) => [permission, allowed])),
      immutable: rule.immutable,
    },
    [
      ...table(
        ["PERMISSION", "ALLOWED", "GRANTED TO"],
        may.map(({ permission, allowed }) => [
          permission,
          allowed ? "yes" : "no",
          permission === "delete" && !config.registry.delete
            ? "nobody (registry.delete: false)"
            : grantText(rule[permission]),
        ]),
      ),
      ...(rule.immutable.length > 0 ? [`Immutable tags: ${rule.immutable.join(", ")}`] : []),
      rule.number === 0
        ? "No rule of access matches, so registry.pull decides who may pull."
        : `Rule ${rule.number} of access decides: ${rule.repositories.join(", ")}`,
    ],
  );
  return ExitCode.ok;
}
