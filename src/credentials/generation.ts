import { formatHtpasswd, type HtpasswdEntry, htpasswdEntry } from "./htpasswd.js";
import { GENERATION_SECRETS, type GenerationSecret, generationOf } from "./names.js";
import { generateMachineSecret } from "./password.js";
import { Secret } from "./secret.js";

/**
 * The machine accounts: what the gateway sends to the registry for a user whose password it has checked, and what the
 * library reads with. Their passwords are 256 random bits, of which people know none.
 */
export const MACHINE_ACCOUNTS = { gateway: "hephaestus-gateway", ui: "hephaestus-ui" } as const;

/** bcrypt protects passwords that can be guessed; for 256 random bits its lowest cost is as good as any. */
const MACHINE_BCRYPT_COST = 4;

/**
 * The contents of a new generation of secrets.
 *
 * @param people htpasswd entries of the people and machines that push
 */
export function generationContents(people: readonly HtpasswdEntry[]): Record<GenerationSecret, Secret> {
  const gateway = machineAccount(MACHINE_ACCOUNTS.gateway);
  const ui = machineAccount(MACHINE_ACCOUNTS.ui);
  return {
    htpasswd: formatHtpasswd([...people, gateway.entry, ui.entry]),
    // A line of an nginx map, included by the gateway.
    gateway: new Secret(`default "Basic ${gateway.basic.reveal()}";\n`),
    // A line of the UI image's environment file.
    ui: new Secret(`NGINX_PROXY_HEADER_Authorization=Basic ${ui.basic.reveal()}\n`),
  };
}

function machineAccount(user: string): { entry: HtpasswdEntry; basic: Secret } {
  const password = generateMachineSecret();
  return {
    entry: htpasswdEntry(user, password, MACHINE_BCRYPT_COST),
    basic: new Secret(Buffer.from(`${user}:${password.reveal()}`).toString("base64")),
  };
}

/** What to put behind the registry's config, whose last part is `http:`. */
export function httpSecretContent(): Secret {
  return new Secret(`  secret: ${generateMachineSecret().reveal()}\n`);
}

/** What is known of the generations in a Swarm. */
export interface GenerationState {
  /** The generation that the running registry uses. */
  inUse: number | undefined;
  /** Generations of which all three secrets exist, in rising order. */
  complete: number[];
  /** Generations that lack a secret. */
  incomplete: number[];
}

/**
 * Reads the generations from names.
 *
 * @param secretNames names of all secrets in the Swarm
 * @param registrySecretNames names of the secrets that the service `registry` refers to
 */
export function readGenerations(
  stack: string,
  secretNames: readonly string[],
  registrySecretNames: readonly string[],
): GenerationState {
  const counts = new Map<number, number>();
  for (const kind of GENERATION_SECRETS) {
    for (const name of secretNames) {
      const generation = generationOf(stack, kind, name);
      if (generation !== undefined) counts.set(generation, (counts.get(generation) ?? 0) + 1);
    }
  }
  const all = [...counts.keys()].sort((a, b) => a - b);
  const complete = all.filter((generation) => counts.get(generation) === GENERATION_SECRETS.length);
  return {
    inUse: registrySecretNames
      .map((name) => generationOf(stack, "htpasswd", name))
      .find((generation) => generation !== undefined),
    complete,
    incomplete: all.filter((generation) => !complete.includes(generation)),
  };
}

/** The generation to keep: the one in use, else the newest complete one; undefined where a new one is needed. */
export function currentGeneration({ inUse, complete }: GenerationState): number | undefined {
  return inUse ?? complete.at(-1);
}

/** The number of a generation that does not exist yet. */
export function nextGeneration({ inUse, complete, incomplete }: GenerationState): number {
  return Math.max(0, inUse ?? 0, ...complete, ...incomplete) + 1;
}
