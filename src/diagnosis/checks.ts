import type { Check } from "./check.js";
import { LEFTOVERS_CHECKS } from "./checks/leftovers.js";
import { OUTSIDE_CHECKS } from "./checks/outside.js";
import { STACK_CHECKS } from "./checks/stack.js";
import { SURROUNDINGS_CHECKS } from "./checks/surroundings.js";

/** All that doctor looks at. */
export const CHECKS: readonly Check[] = [
  ...SURROUNDINGS_CHECKS,
  ...STACK_CHECKS,
  ...OUTSIDE_CHECKS,
  ...LEFTOVERS_CHECKS,
];
