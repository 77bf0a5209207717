import { httpSecretContent, machineAccounts, machineKinds } from "../credentials/generationState.js";
import { formatHtpasswd } from "../credentials/htpasswd.js";
import { HTPASSWD, HTTP_SECRET, secretName } from "../credentials/secretKinds.js";
import { stackSecretNames, writeSecret } from "../docker/swarmSecrets.js";
import type { DeployContext, Step } from "../operation/context.js";
import { removeHtpasswd, removeMachines } from "../operation/leftovers.js";
import { describeChange, type SecretsChange } from "../operation/secretsChange.js";
import { hasMirror } from "../services/mirrorSources.js";

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
    const kinds = machineKinds(hasMirror(config));
    const accounts = change.newMachines ? machineAccounts(machines, kinds) : undefined;
    for (const kind of kinds) {
      const content = accounts?.contents[kind];
      if (content === undefined) continue;
      await writeSecret(docker, stack, { kind, generation: machines, origin: "generated", content });
    }
    // The htpasswd comes last: where it exists, the others do.
    await writeSecret(docker, stack, {
      kind: HTPASSWD,
      generation: people,
      origin: change.origin,
      content: formatHtpasswd([...change.people, ...change.machines, ...(accounts?.entries ?? [])]),
      changed: datesOf(change),
      ends: endsOf(change.people),
    });
    return [`generation ${people} created`, describeChange(change)].filter(Boolean).join(": ");
  },
};

/** When each user's password last changed. */
export function datesOf({ people, changed, dates }: SecretsChange): Map<string, Date> {
  const now = new Date();
  const entries = people.map(({ user }) => [user, changed.includes(user) ? now : dates.get(user)] as const);
  return new Map(entries.filter((entry): entry is [string, Date] => entry[1] !== undefined));
}

/** The first day on which each user that ends is refused. */
const endsOf = (people: SecretsChange["people"]): Map<string, string> =>
  new Map(people.flatMap(({ user, until }) => (until === undefined ? [] : [[user, until] as const])));

/** Removes the secrets that createSecrets made; those that a service uses stay, Swarm sees to that. */
export async function discardChange({ config, docker, change, generations }: DeployContext): Promise<void> {
  if (!change) return;
  await removeHtpasswd(docker, config.stack, generations.people);
  if (change.newMachines) await removeMachines(docker, config.stack, generations.machines);
}

/** What would become of the secrets. */
export const planSecrets: Step = {
  id: "secrets",
  title: "Secrets",
  async run({ config, docker, generations: { people }, change }) {
    const names = await stackSecretNames(docker, config.stack);
    if (names.includes(secretName(config.stack, HTPASSWD, people)))
      return `generation ${people} would be kept`;
    return [`generation ${people} would be created`, change && describeChange(change)]
      .filter(Boolean)
      .join(": ");
  },
};
