import type { FactChange } from "../diff/factChanges.js";
import type { ServiceDifference } from "../diff/serviceDifferences.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import type { Check } from "./check.js";
import { type Finding, warning } from "./finding.js";

/** So many changes are shown, the others counted. */
const SHOWN_CHANGES = 5;

/** Services that run with other settings than a deploy would give them; those that are missing or unknown are told elsewhere. */
export function judgeDrift(stack: string, differences: readonly ServiceDifference[]): Finding[] {
  return differences.flatMap(({ service, action, changes }) => {
    const rest = action === "update" ? changes.filter((change) => !isToldElsewhere(change)) : [];
    if (rest.length === 0) return [];
    const more = rest.length > SHOWN_CHANGES ? [`and ${rest.length - SHOWN_CHANGES} more`] : [];
    return [
      warning(
        "service-drifted",
        `${service.slice(stack.length + 1)} differs from what a deploy would set`,
        [...rest.slice(0, SHOWN_CHANGES).map(inWords), ...more].join("; "),
        "See the differences with: hephaestus diff. Revert them with: hephaestus deploy, or add them to hephaestus.yaml.",
      ),
    ];
  });
}

const isToldElsewhere = ({ fact, from }: FactChange): boolean =>
  (fact === "replicas" && from === "0") ||
  fact === `environment ${READONLY_VARIABLE}` ||
  fact.startsWith("environment REGISTRY_AUTH");

function inWords({ fact, from, to }: FactChange): string {
  if (from === undefined) return `lacks ${fact} (${to})`;
  return to === undefined ? `has ${fact} (${from})` : `${fact} is ${from} instead of ${to}`;
}

export const driftCheck: Check = {
  id: "drift",
  title: "settings of the services",
  theme: "Services",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ config, differences }) => judgeDrift(config.stack, await differences()),
};
