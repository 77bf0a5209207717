import { httpSecretContent, type MachineAccounts, machineAccounts } from "../credentials/generation.js";
import { formatHtpasswd } from "../credentials/htpasswd.js";
import { HTPASSWD, HTTP_SECRET, MACHINE_SECRETS, secretName } from "../credentials/names.js";
import { ExitCode, OperatorError } from "../errors.js";
import { verifyFrontDoor } from "../frontdoor/verify.js";
import { setupHost } from "../host/setupHost.js";
import { removeHtpasswd, removeMachines } from "../swarm/leftovers.js";
import { stackSecretNames, writeSecret } from "../swarm/secrets.js";
import type { DeployContext, SecretsChange, Step } from "./context.js";

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

/** Creates the secrets of the generations that preflight chose; what exists is kept. */
export const createSecrets: Step = {
  id: "secrets",
  title: "Secrets",
  async run({ config, docker, change, generations: { people, machines } }) {
    const { stack } = config;
    const existing = new Set(await stackSecretNames(docker, stack));
    if (!existing.has(secretName(stack, HTTP_SECRET, 1))) {
      const content = httpSecretContent();
      await writeSecret(docker, stack, { kind: HTTP_SECRET, generation: 1, origin: "generated", content });
    }
    if (!change) return `generation ${people} kept`;
    const accounts = change.newMachines ? machineAccounts(machines) : undefined;
    for (const kind of accounts ? MACHINE_SECRETS : []) {
      const content = (accounts as MachineAccounts).contents[kind];
      await writeSecret(docker, stack, { kind, generation: machines, origin: "generated", content });
    }
    // The htpasswd comes last: where it exists, the others do.
    await writeSecret(docker, stack, {
      kind: HTPASSWD,
      generation: people,
      origin: change.origin,
      content: formatHtpasswd([...change.people, ...change.machines, ...(accounts?.entries ?? [])]),
      changed: datesOf(change),
    });
    return [`generation ${people} created`, describeChange(change)].filter(Boolean).join(": ");
  },
};

/** Removes the secrets that createSecrets made; those that a service uses stay, Swarm sees to that. */
export async function discardChange({ config, docker, change, generations }: DeployContext): Promise<void> {
  if (!change) return;
  await removeHtpasswd(docker, config.stack, generations.people);
  if (change.newMachines) await removeMachines(docker, config.stack, generations.machines);
}

/** When each user's password last changed. */
function datesOf({ people, changed, dates }: SecretsChange): Map<string, Date> {
  const now = new Date();
  const entries = people.map(({ user }) => [user, changed.includes(user) ? now : dates.get(user)] as const);
  return new Map(entries.filter((entry): entry is [string, Date] => entry[1] !== undefined));
}

/** "new password of ann, bob; without carl" */
export function describeChange({ changed, removed, newMachines, previous }: SecretsChange): string {
  const parts = [
    ...(changed.length > 0 ? [`new password of ${changed.join(", ")}`] : []),
    ...(removed.length > 0 ? [`without ${removed.join(", ")}`] : []),
    ...(newMachines && previous !== undefined ? ["new machine accounts"] : []),
  ];
  return parts.join("; ");
}

/** Asks the registry and the UI through their front door. */
export const verify: Step = {
  id: "verify",
  title: "Front door",
  skip: ({ options }) => (options.wait && options.verify ? undefined : "not asked for"),
  async run({ config, given, change, reporter, signal }) {
    const login = change ? change.login : given;
    const checks = await verifyFrontDoor(config, { login, former: change?.former }, PATIENCE_SECONDS, signal);
    const faults = checks.filter(({ fault }) => fault !== undefined);
    if (faults.length > 0) {
      throw new OperatorError(faults.map(({ title, fault }) => `${title}: ${fault}`).join("\n"), {
        where: "front door",
        remedy:
          "The services run; mend this and run hephaestus deploy again, or leave the check out with --no-verify.",
        exitCode: ExitCode.verify,
      });
    }
    if (!login && !change)
      reporter.note("info", "The login was not checked: the password was kept and is not known to this run.");
    return checks.map(({ title }) => title).join(", ");
  },
};
