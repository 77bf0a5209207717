import { type HtpasswdEntry, htpasswdEntry, isMachineAccount } from "./htpasswd.js";
import { GENERATED_BCRYPT_COST, generateMachineSecret } from "./password.js";
import { Secret } from "./secret.js";
import { generationOf, HTPASSWD, MACHINE_SECRETS, type MachineSecret } from "./secretKinds.js";

export interface MachineAccounts {
  /** Their lines of the htpasswd. */
  entries: HtpasswdEntry[];
  /** Contents of their secrets. */
  contents: Record<MachineSecret, Secret>;
}

/**
 * New machine accounts: what the gateway sends to the registry for a user whose password it has checked, and what the
 * admin UI reads and deletes with. Their passwords are 256 random bits, of which people know none. Each generation has names of its
 * own, so that two can stand in one htpasswd while services still hold the older one.
 */
export function machineAccounts(generation: number): MachineAccounts {
  const names = machineNames(generation);
  const [gateway, ui] = [machineAccount(names.gateway), machineAccount(names.ui)];
  return {
    entries: [gateway.entry, ui.entry],
    contents: {
      // A line of an nginx map, included by the gateway.
      gateway: new Secret(`default "Basic ${gateway.basic.reveal()}";\n`),
      // A line of the UI image's environment file.
      ui: new Secret(`NGINX_PROXY_HEADER_Authorization=Basic ${ui.basic.reveal()}\n`),
    },
  };
}

function machineNames(generation: number): Record<MachineSecret, string> {
  const suffix = generation === 1 ? "" : `-${generation}`;
  return { gateway: `hephaestus-gateway${suffix}`, ui: `hephaestus-ui${suffix}` };
}

function machineAccount(user: string): { entry: HtpasswdEntry; basic: Secret } {
  const password = generateMachineSecret();
  return {
    entry: htpasswdEntry(user, password, GENERATED_BCRYPT_COST),
    basic: new Secret(Buffer.from(`${user}:${password.reveal()}`).toString("base64")),
  };
}

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
  /** Machine generations of which both secrets exist. */
  machines: number[];
  /** Machine generations that lack one. */
  incomplete: number[];
}

/**
 * Reads the generations from names.
 *
 * @param secretNames names of all secrets of the stack
 * @param used names of the secrets that its services refer to
 */
export function readGenerations(
  stack: string,
  secretNames: readonly string[],
  used: readonly string[],
): GenerationState {
  const numbers = (kind: typeof HTPASSWD | MachineSecret, names: readonly string[]) =>
    names
      .map((name) => generationOf(stack, kind, name))
      .filter((generation) => generation !== undefined)
      .sort((a, b) => a - b);
  const [gateway, ui] = MACHINE_SECRETS.map((kind) => numbers(kind, secretNames)) as [number[], number[]];
  const machines = gateway.filter((generation) => ui.includes(generation));
  return {
    inUse: { people: numbers(HTPASSWD, used).at(-1), machines: numbers("gateway", used).at(-1) },
    people: numbers(HTPASSWD, secretNames),
    machines,
    incomplete: [...gateway, ...ui].filter((generation) => !machines.includes(generation)),
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
  const names: string[] = generation === undefined ? [] : Object.values(machineNames(generation));
  const current = all.filter(({ user }) => names.includes(user));
  return {
    people: entries.filter(({ user }) => !isMachineAccount(user)),
    machines: current.length > 0 ? current : all,
  };
}
