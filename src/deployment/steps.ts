import { generationContents, httpSecretContent } from "../credentials/generation.js";
import { GENERATION_SECRETS, HTTP_SECRET, secretName } from "../credentials/names.js";
import { ExitCode, OperatorError } from "../errors.js";
import { verifyFrontDoor } from "../frontdoor/verify.js";
import { setupHost } from "../host/setupHost.js";
import { stackSecretNames, writeSecret } from "../swarm/secrets.js";
import type { Step } from "./context.js";

/** How long the front door may need after the services have converged. */
const PATIENCE_SECONDS = 30;

/** Prepares the folder of the storage on its node. */
export const prepareHost: Step = {
  id: "setup-host",
  title: "Host",
  skip: ({ options }) => (options.hostSetup ? undefined : "--skip-host-setup"),
  async run({ config, host }) {
    const { output } = await setupHost(config, host, false);
    return (
      output
        .split("\n")
        .at(-1)
        ?.replace(/^setup_host: /, "") ?? ""
    );
  },
};

/** Creates the secrets of the generation that preflight chose; what exists is kept. */
export const createSecrets: Step = {
  id: "secrets",
  title: "Secrets",
  async run({ config, docker, credentials, generation }) {
    const { stack } = config;
    const existing = new Set(await stackSecretNames(docker, stack));
    if (!existing.has(secretName(stack, HTTP_SECRET, 1))) {
      await writeSecret(docker, stack, HTTP_SECRET, 1, "generated", httpSecretContent());
    }
    if (!credentials) return `generation ${generation} kept`;
    const contents = generationContents(credentials.people);
    for (const kind of GENERATION_SECRETS) {
      await writeSecret(docker, stack, kind, generation, credentials.origin, contents[kind]);
    }
    return `generation ${generation} created`;
  },
};

/** Asks the registry and the UI through their front door. */
export const verify: Step = {
  id: "verify",
  title: "Front door",
  skip: ({ options }) => (options.wait && options.verify ? undefined : "not asked for"),
  async run({ config, given, credentials, reporter }) {
    const login = credentials ?? given;
    const checks = await verifyFrontDoor(config, login, PATIENCE_SECONDS);
    const faults = checks.filter(({ fault }) => fault !== undefined);
    if (faults.length > 0) {
      throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
        where: "front door",
        remedy:
          "The services run; mend this and run hephaestus deploy again, or leave the check out with --no-verify.",
        exitCode: ExitCode.verify,
      });
    }
    if (!login)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return checks.map(({ title }) => title).join(", ");
  },
};
