import { NOT_SHOWN, namesSecret } from "../credentials/redaction.js";
import type { Facts, Reach } from "./serviceFacts.js";

/** A fact that changes; undefined if it was not set, or will not be. */
export interface FactChange {
  fact: string;
  from: string | undefined;
  to: string | undefined;
  reach: Reach;
  /** Of a config: what changes in its content, as a unified diff. */
  diff?: string;
}

/** What changes from one set of facts to the other, in the order of their names. Pure. */
export function factChanges(from: Facts, to: Facts): FactChange[] {
  return [...new Set([...from.keys(), ...to.keys()])].sort().flatMap((fact) => {
    const [before, after] = [from.get(fact), to.get(fact)];
    if (before?.value === after?.value) return [];
    const reach = (after ?? before)?.reach ?? "tasks";
    const shown = (value: string | undefined) =>
      value !== undefined && holdsSecret(fact) ? NOT_SHOWN : value;
    return [{ fact, from: shown(before?.value), to: shown(after?.value), reach }];
  });
}

/** Somebody may have set one by hand. */
const holdsSecret = (fact: string): boolean =>
  /^(?:environment|label|container label) /.test(fact) && namesSecret(fact);

/** The widest first. */
const REACHES: readonly Reach[] = ["tasks", "placement", "settings", "labels"];

/** What all changes of a service together reach. */
export const widestReach = (changes: readonly FactChange[]): Reach =>
  REACHES.find((reach) => changes.some((change) => change.reach === reach)) ?? "labels";
