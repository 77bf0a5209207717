import { REPOSITORY_NAME } from "../access/glob.js";
import { grantText, PERMISSIONS, repositoryRules, rightsBy } from "../access/repositoryRules.js";
import { USER_NAME } from "../credentials/userNames.js";
import { ExitCode, OperatorError } from "../errors.js";
import { table } from "../terminal/table.js";
import { type AddCommand, configOption, jsonOption } from "./options.js";
import { openSession } from "./session.js";

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
    .action(async (user, repository, flags) => {
      const { config, reporter } = await openSession(flags);
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
      const caller = { user: user === NO_LOGIN ? undefined : user, groups: flags.groups };
      const { rule, ...rights } = rightsBy(repositoryRules(config))(caller, repository);
      const mayDelete = config.registry.delete;
      const answers = PERMISSIONS.map((permission) => ({
        permission,
        allowed: rights[permission] && (permission !== "delete" || mayDelete),
        grantedTo:
          permission === "delete" && !mayDelete
            ? "nobody (registry.delete: false)"
            : grantText(rule[permission]),
      }));
      reporter.result(
        {
          user: caller.user ?? null,
          repository,
          rule: rule.number || null,
          ...Object.fromEntries(answers.map(({ permission, allowed }) => [permission, allowed])),
          immutable: rule.immutable,
        },
        [
          ...table(
            ["PERMISSION", "ALLOWED", "GRANTED TO"],
            answers.map(({ permission, allowed, grantedTo }) => [
              permission,
              allowed ? "yes" : "no",
              grantedTo,
            ]),
          ),
          ...(rule.immutable.length > 0 ? [`Immutable tags: ${rule.immutable.join(", ")}`] : []),
          rule.number === 0
            ? "No rule of access matches, so registry.pull decides who may pull."
            : `Rule ${rule.number} of access decides: ${rule.repositories.join(", ")}`,
        ],
      );
      finish(ExitCode.ok);
    });
};

/** The word for someone without a login. */
const NO_LOGIN = "anonymous";
