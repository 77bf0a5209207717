import type { Probe } from "./site.js";

/**
 * What stands behind the gateway: the stack, a mirror, nothing, the stack with a proxy before the gateway, the same with
 * checks that are held (nothing else works there), or the stack with a gateway that remembers the registry's answers for 2
 * seconds only, or that has few places for requests of one network.
 */
export type Surroundings = "stack" | "mirror" | "nothing" | "proxy" | "held" | "forgetful" | "narrow";

/** A rule of the rendered gateway/nginx.conf, the change that takes it away, and the probe that must notice. */
export interface Mutation {
  rule: string;
  change: (config: string) => string;
  probe: Probe;
  around: Surroundings;
}

/** Fails where there is nothing to replace: then the mutation tests nothing. */
export function replace(config: string, what: string | RegExp, by: string): string {
  const changed = config.replace(what, by);
  if (changed === config) throw new Error(`The config has no ${what}.`);
  return changed;
}

export const mutation = (
  rule: string,
  what: string | RegExp,
  by: string,
  probe: Probe,
  around: Surroundings = "stack",
): Mutation => ({ rule, change: (config) => replace(config, what, by), probe, around });

/** A mutation inside of one location. */
export const inLocation = (
  name: string,
  rule: string,
  what: string | RegExp,
  by: string,
  probe: Probe,
  around: Surroundings = "stack",
): Mutation => ({
  rule: `${name}: ${rule}`,
  change: (config) => {
    const start = config.indexOf(`        location ${name} {`);
    const end = config.indexOf("\n        }\n", start);
    if (start < 0) throw new Error(`The config has no location ${name}.`);
    return config.slice(0, start) + replace(config.slice(start, end), what, by) + config.slice(end);
  },
  probe,
  around,
});
