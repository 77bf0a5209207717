import type { AddCommand } from "./command.js";
import {
  configOption,
  contextOption,
  dryRunOption,
  noVerifyOption,
  outputOption,
  reportOptions,
  resolveImageOption,
  timeoutOption,
} from "./options.js";

export const addDeploy: AddCommand = (program, finish) => {
  reportOptions(program.command("deploy"))
    .description(
      "prepare the host, create the secrets, deploy the stack, wait for it, and test its public address",
    )
    .addOption(configOption())
    .addOption(outputOption())
    .addOption(contextOption())
    .option("--host <user@host>", "node that holds the storage, to be prepared over ssh")
    .option("--skip-host-setup", "do not prepare the host")
    .option("--password-stdin", "read the password of the first user from standard input")
    .option("--generate-password", "generate the password and print it once, at the end")
    .addOption(timeoutOption())
    .option("--no-wait", "do not wait for the rollout")
    .addOption(noVerifyOption())
    .addOption(dryRunOption())
    .addOption(resolveImageOption())
    .addHelpText(
      "after",
      "\nThe password comes from REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD, from standard input or\nfrom a prompt, or it is generated. If the stack has users, they stay, and a new password that you pass is set\nwith a rotation.\n\nExample:\n  hephaestus deploy --generate-password",
    )
    .action(async ({ skipHostSetup, ...options }) =>
      finish(await (await import("../actions/deploy.js")).deploy({ ...options, hostSetup: !skipHostSetup })),
    );
};
