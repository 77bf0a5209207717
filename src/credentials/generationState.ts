import { type HtpasswdEntry, htpasswdEntry } from "./htpasswd.js";
import { GENERATED_BCRYPT_COST, generateMachineSecret } from "./password.js";
import { Secret } from "./secret.js";
import { generationOf, HTPASSWD, MACHINE_SECRETS, type MachineSecret } from "./secretKinds.js";
import { isMachineAccount } from "./userNames.js";

export interface MachineAccounts {
  /** Their lines of the htpasswd. */
  entries: HtpasswdEntry[];
  /** Contents of their secrets. */
  contents: Partial<Record<MachineSecret, Secret>>;
}

/** The machine accounts that every stack has. */
const EVERYWHERE: readonly MachineSecret[] = ["gateway", "ui"];

/** The machine accounts of a stack. */
export const machineKinds = (hasMirror: boolean): MachineSecret[] =>
  MACHINE_SECRETS.filter((kind) => hasMirror || EVERYWHERE.includes(kind));

/** What stands in the secret of each account, made from USER:PASSWORD. */
const CONTENTS: Record<MachineSecret, (login: string) => string> = {
  // A line of an nginx map, included by the gateway.
  gateway: (login) => `default "Basic ${base64(login)}";\n`,
  // A line of the UI image's environment file.
  ui: (login) => `NGINX_PROXY_HEADER_Authorization=Basic ${base64(login)}\n`,
  // The config of regsync takes it apart.
  mirror: (login) => login,
};

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/**
 * New machine accounts: what the gateway sends to the registry for a user whose password it has checked, what the admin UI
 * reads and deletes with, and what the mirror pushes with. Their passwords are 256 random bits, of which people know none.
 * Each generation has names of its own, so that two can stand in one htpasswd while services still hold the older one.
 */
export function machineAccounts(generation: number, kinds: readonly MachineSecret[]): MachineAccounts {
  const accounts: MachineAccounts = { entries: [], contents: {} };
  for (const kind of kinds) {
    const [user, password] = [machineName(kind, generation), generateMachineSecret()];
    accounts.entries.push(htpasswdEntry(user, password, GENERATED_BCRYPT_COST));
    accounts.contents[kind] = new Secret(CONTENTS[kind](`${user}:${password.reveal()}`));
  }
  return accounts;
}

const machineName = (kind: MachineSecret, generation: number): string =>
  `hephaestus-${kind}${generation === 1 ? "" : `-${generation}`}`;

/** What to put behind the registry's config, whose last part is `http:`. */
export function httpSecretContent(): Secret {
  return new Secret(`  secret: ${generateMachineSecret().reveal()}\n`);
}

/** What is known of the generations in a Swarm; the lists in rising order. */
export interface GenerationState {
  /** The generations that the running services use. */
  inUse: { people: number | undefined; machines: number | undefined };
  /** Generations of the htpasswd. */
  people: number[];
  /** Machine generations of which all secrets exist. */
  machines: number[];
  /** Machine generations that lack one. */
  incomplete: number[];
}

/**
 * Reads the generations from names.
 *
 * @param secretNames names of all secrets of the stack
 * @param used names of the secrets that its services refer to
 * @param kinds the machine accounts that a complete generation has
 */
export function readGenerations(
  stack: string,
  secretNames: readonly string[],
  used: readonly string[],
  kinds: readonly MachineSecret[],
): GenerationState {
  const numbers = (kind: typeof HTPASSWD | MachineSecret, names: readonly string[]) =>
    names
      .map((name) => generationOf(stack, kind, name))
      .filter((generation) => generation !== undefined)
      .sort((a, b) => a - b);
  const ofKinds = kinds.map((kind) => numbers(kind, secretNames));
  const all = [...new Set(ofKinds.flat())].sort((a, b) => a - b);
  const machines = all.filter((generation) => ofKinds.every((numbers) => numbers.includes(generation)));
  return {
    inUse: { people: numbers(HTPASSWD, used).at(-1), machines: numbers("gateway", used).at(-1) },
    people: numbers(HTPASSWD, secretNames),
    machines,
    incomplete: all.filter((generation) => !machines.includes(generation)),
  };
}

/** The generations of the htpasswd that a deploy may keep, the best first: the one in use, then the newest ones. */
export function candidates({ inUse, people }: GenerationState): number[] {
  const others = people.filter((generation) => generation !== inUse.people).reverse();
  return inUse.people === undefined ? others : [inUse.people, ...others];
}

/** The machine generation to keep: the one in use, else the newest complete one; undefined where a new one is needed. */
export function currentMachines({ inUse, machines }: GenerationState): number | undefined {
  if (inUse.machines !== undefined && machines.includes(inUse.machines)) return inUse.machines;
  return machines.at(-1);
}

/** The number of a generation of the htpasswd that does not exist yet. */
export const nextPeople = ({ inUse, people }: GenerationState): number =>
  Math.max(0, inUse.people ?? 0, ...people) + 1;

/** The number of a machine generation that does not exist yet. */
export const nextMachines = ({ inUse, machines, incomplete }: GenerationState): number =>
  Math.max(0, inUse.machines ?? 0, ...machines, ...incomplete) + 1;

/**
 * Parts an htpasswd that was read back from the Swarm.
 *
 * @param generation the machine generation whose lines are kept; all of them where it has none, or is undefined
 */
export function partHtpasswd(
  entries: readonly HtpasswdEntry[],
  generation: number | undefined,
): { people: HtpasswdEntry[]; machines: HtpasswdEntry[] } {
  const all = entries.filter(({ user }) => isMachineAccount(user));
  const names = generation === undefined ? [] : MACHINE_SECRETS.map((kind) => machineName(kind, generation));
  const current = all.filter(({ user }) => names.includes(user));
  return {
    people: entries.filter(({ user }) => !isMachineAccount(user)),
    machines: current.length > 0 ? current : all,
  };
}
