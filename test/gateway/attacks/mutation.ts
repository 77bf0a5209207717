import type { GatewayFiles } from "../gateways.js";
import type { Probe } from "./site.js";

/**
 * What stands behind the gateway: the stack, a mirror, the stack with a mirror for checks, nothing, the stack with a proxy before
 * the gateway, the same with checks that are held (nothing else works there), or the stack with a gateway that remembers the
 * registry's answers for 2 seconds only, or that has few places for requests of one network.
 */
export type Surroundings =
  | "stack"
  | "mirror"
  | "checks"
  | "nothing"
  | "proxy"
  | "held"
  | "forgetful"
  | "narrow";

/** A rule of the rendered gateway, the change that takes it away, and the probe that must notice. */
export interface Mutation {
  rule: string;
  change: (files: GatewayFiles) => GatewayFiles;
  probe: Probe;
  around: Surroundings;
}

/** Fails where there is nothing to replace: then the mutation tests nothing. */
export function replace(text: string, what: string | RegExp, by: string): string {
  const changed = text.replace(what, () => by);
  if (changed === text) throw new Error(`There is no ${what}.`);
  return changed;
}

export const mutation = (
  rule: string,
  what: string | RegExp,
  by: string,
  probe: Probe,
  around: Surroundings = "stack",
  of: keyof GatewayFiles = "config",
): Mutation => ({
  rule,
  change: (files) => ({ ...files, [of]: replace(files[of], what, by) }),
  probe,
  around,
});
