import { type HtpasswdEntry, htpasswdEntry } from "./htpasswd.js";
import { GENERATED_BCRYPT_COST, generateMachineSecret } from "./password.js";
import { Secret } from "./secret.js";
import { FAMILIES, type MachineSecret } from "./secretKinds.js";
import { isMachineAccount } from "./userNames.js";

/** A new machine account. */
export interface MachineAccount {
  kind: MachineSecret;
  /** Its line of the htpasswd. */
  entry: HtpasswdEntry;
  /** The content of its secret. */
  content: Secret;
}

/** The machine accounts that every stack has. */
const EVERYWHERE: readonly MachineSecret[] = ["gateway", "ui"];

/**
 * The machine accounts of a stack.
 *
 * @param others those that not every stack has
 */
export const machineKinds = (others: readonly MachineSecret[]): MachineSecret[] =>
  FAMILIES.machines.kinds.filter((kind) => EVERYWHERE.includes(kind) || others.includes(kind));

/** A line of the UI image's environment file. */
const environmentLine = (login: string): string =>
  `NGINX_PROXY_HEADER_Authorization=Basic ${base64(login)}\n`;

/** What stands in the secret of each account, made from USER:PASSWORD. */
const CONTENTS: Record<MachineSecret, (login: string) => string> = {
  // A line of an nginx map, included by the gateway.
  gateway: (login) => `default "Basic ${base64(login)}";\n`,
  ui: environmentLine,
  library: environmentLine,
  // The config of regsync takes it apart.
  mirror: (login) => login,
};

const base64 = (text: string): string => Buffer.from(text).toString("base64");

/**
 * New machine accounts: what the gateway sends to the registry for a user whose password it has checked, what
 * the admin UI reads and deletes with, what the library reads with, and what the mirror pushes with. Their
 * passwords are 256 random bits, of which people know none. Each generation has names of its own, so that two can stand in one htpasswd
 * while services still hold the older one.
 */
export const machineAccounts = (generation: number, kinds: readonly MachineSecret[]): MachineAccount[] =>
  kinds.map((kind) => {
    const [user, password] = [machineName(kind, generation), generateMachineSecret()];
    return {
      kind,
      entry: htpasswdEntry(user, password, GENERATED_BCRYPT_COST),
      content: new Secret(CONTENTS[kind](`${user}:${password.reveal()}`)),
    };
  });

const machineName = (kind: MachineSecret, generation: number): string =>
  `hephaestus-${kind}${generation === 1 ? "" : `-${generation}`}`;

/** What to put behind the registry's config, whose last part is `http:`. */
export function httpSecretContent(): Secret {
  return new Secret(`  secret: ${generateMachineSecret().reveal()}\n`);
}

/**
 * Splits an htpasswd that was read back from the Swarm into the lines of users and of machine accounts.
 *
 * @param generation the machine generation whose lines are kept; all of them where it has none, or is
 * undefined
 */
export function splitHtpasswd(
  entries: readonly HtpasswdEntry[],
  generation: number | undefined,
): { users: HtpasswdEntry[]; machines: HtpasswdEntry[] } {
  const all = entries.filter(({ user }) => isMachineAccount(user));
  const names =
    generation === undefined ? [] : FAMILIES.machines.kinds.map((kind) => machineName(kind, generation));
  const current = all.filter(({ user }) => names.includes(user));
  return {
    users: entries.filter(({ user }) => !isMachineAccount(user)),
    machines: current.length > 0 ? current : all,
  };
}
