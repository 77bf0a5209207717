import { publicUrls } from "../config/resolve.js";
import { Secret } from "../credentials/secret.js";
import type { Credentials } from "../credentials/userChanges.js";
import { applyPlan, showPlan } from "../deploy/applyPlan.js";
import { preflight } from "../deploy/preflight.js";
import { ExitCode } from "../errors.js";
import type { SecretsPlan } from "../secrets/secretsPlan.js";
import type { Session } from "../session.js";
import { readTaggedImages, type TaggedImage } from "../swarm/engine.js";
import { warnOfStoredLogins } from "../swarm/storedLogins.js";
import { isInteractive } from "../terminal/chooseReporter.js";
import { withCredentials } from "../users/newUsers.js";
import { bringing } from "../users/planUsers.js";
import {
  type CredentialSettings,
  credentialsFromEnvironment,
  fromPassword,
  generated,
  passwordFromStdin,
  userName,
} from "./credentials.js";
import { firstPush } from "./firstPush.js";
import {
  type AddCommand,
  configOption,
  contextOption,
  dryRunOption,
  noVerifyOption,
  outputOption,
  reportOptions,
  resolveImageOption,
  timeoutOption,
} from "./options.js";
import { openSession } from "./session.js";

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
      "\nThe password comes from standard input, or from REGISTRY_HTPASSWD, REGISTRY_USERNAME and REGISTRY_RAW_PASSWORD.\nOtherwise it is generated, or you are asked for it. If the stack has users, they stay, and a new password that you\npass is set with a rotation.\n\nExample:\n  hephaestus deploy --generate-password",
    )
    .action(async ({ skipHostSetup, wait, resolveImage, host, ...flags }) => {
      const session = await openSession(flags, { wait, resolveImage, host, hostSetup: !skipHostSetup });
      const { credentials } = session.config;
      const given = flags.passwordStdin
        ? fromPassword(userName(credentials, process.env), await passwordFromStdin(), credentials)
        : credentialsFromEnvironment(credentials, process.env);
      const obtain = obtainer(flags, credentials);
      // Obstacles are found before anything is changed.
      const plan = await preflight(session, { ...bringing(given), obtainable: obtain?.user });
      if (session.options.dryRun) {
        await showPlan(session, plan);
        return finish(ExitCode.ok);
      }
      // Between the steps, so that a question has the terminal for itself.
      const secrets =
        plan.secrets.needsCredentials && obtain
          ? await withCredentials(session, plan.secrets, await obtain.credentials())
          : plan.secrets;
      await applyPlan(session, { ...plan, secrets });
      // With a context, the docker command of a person may talk to another engine.
      const images =
        flags.context === undefined ? await readTaggedImages(session.docker).catch(() => []) : [];
      showResult(session, secrets, images);
      const { change, kept } = secrets;
      if (kept !== undefined && change && change.changed.length > 0)
        await warnOfStoredLogins(
          session,
          change.changed.filter((user) => user !== change.login?.user),
        );
      finish(ExitCode.ok);
    });
};

/** How a password comes about when none was given: generated when asked for, else asked for on a terminal. */
function obtainer(
  flags: { generatePassword?: true | undefined; json?: true | undefined },
  settings: CredentialSettings,
): { user: string; credentials(): Promise<Credentials> } | undefined {
  const user = userName(settings, process.env);
  if (flags.generatePassword) return { user, credentials: async () => generated(user) };
  if (!isInteractive() || flags.json) return undefined;
  const ask = async () => {
    const { askForPassword } = await import("../terminal/prompts.js");
    const answer = await askForPassword(`Password for ${user} (empty: generate one)`);
    return answer === "" ? generated(user) : fromPassword(user, new Secret(answer), settings);
  };
  return { user, credentials: ask };
}

function showResult(
  { config, reporter }: Session,
  { login, kept }: SecretsPlan,
  images: readonly TaggedImage[],
): void {
  const urls = publicUrls(config);
  const host = urls.registry.replace(/^https?:\/\//, "");
  // With Authelia alone nobody of the htpasswd may log in.
  const isOfAuthelia = config.users.provider === "authelia";
  const user = isOfAuthelia
    ? "USER"
    : (login?.user ??
      loginName([...(kept?.facts?.changed.keys() ?? [])], userName(config.credentials, process.env)));
  const [logIn, push, pull] = firstPush(config, host, user, images);
  reporter.result({ registry: urls.registry, ui: urls.ui ?? null, admin: urls.admin ?? null }, [
    "",
    `registry  ${urls.registry}`,
    ...(urls.ui ? [`library   ${urls.ui}`] : []),
    ...(urls.admin ? [`admin     ${urls.admin}`] : []),
    "",
    "Next:",
    `  ${logIn}${isOfAuthelia ? "    # a user of Authelia" : ""}`,
    `  ${push}`,
    `  ${pull}`,
  ]);
}

/** Who may log in, for the next step that is shown: a user who exists, or a placeholder. */
const loginName = (users: readonly string[], wanted: string): string =>
  users.includes(wanted) ? wanted : users.length === 1 ? (users[0] ?? "") : "USER";
