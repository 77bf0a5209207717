import { stringify } from "yaml";
import { ConfigError } from "../config/configFindings.js";
import { SCHEMA_FILE } from "../config/initialConfig.js";
import { loadConfig } from "../config/load.js";
import type { LeftOut } from "./oldEdge.js";
import type { AdoptPlan } from "./plan.js";

/** Without these the registry would not be the one that people know. */
const NEEDED = /^(?:stack|domain|ports|registry\.(?:storage|host|user)|traefik\.network|ui\.host)(?:\.|$)/;

/** Values that nobody is to read: a message about one does not quote it. */
const FREE = /^(?:registry\.env|traefik\.(?:labels|routerLabels))\./;

/** More than a config has keys. */
const MOST_ROUNDS = 100;

/**
 * The plan with a config that the schema and the rules take: what they refuse is taken out and named with its
 * reason. What the registry would be another one without stays, and is named as something to do. Pure.
 */
export function settled(plan: AdoptPlan): AdoptPlan {
  if (plan.refused.length > 0) return plan;
  let { config } = plan;
  const leftOut: LeftOut[] = [...plan.leftOut];
  for (let round = 0; round < MOST_ROUNDS; round++) {
    const faults = faultsOf(config);
    const removable = faults.find(({ path }) => !NEEDED.test(path) && without(config, path) !== undefined);
    if (removable === undefined) {
      const toDo = faults.map(({ path, message, remedy }) => `${path}: ${message}. ${remedy}`);
      return { ...plan, config, leftOut, toDo };
    }
    const { path, message } = removable;
    leftOut.push({ what: path, why: FREE.test(path) ? message.replace(/^"[^"]*"?/, "its value") : message });
    config = without(config, path) ?? config;
  }
  return { ...plan, config, leftOut };
}

function faultsOf(config: Record<string, unknown>) {
  try {
    loadConfig(JSON.stringify(config), "hephaestus.yaml", {});
    return [];
  } catch (error) {
    if (error instanceof ConfigError) return error.findings.filter(({ severity }) => severity === "error");
    throw error;
  }
}

/**
 * A config without what is at a path, whose keys may have dots in them.
 *
 * @returns undefined if there is nothing at that path
 */
function without(value: Record<string, unknown>, path: string): Record<string, unknown> | undefined {
  for (const [key, inner] of Object.entries(value)) {
    const { [key]: _, ...rest } = value;
    if (path === key) return rest;
    if (!path.startsWith(`${key}.`)) continue;
    // One entry of a list stands for the list.
    if (Array.isArray(inner) || inner === null || typeof inner !== "object") return rest;
    const smaller = without(inner as Record<string, unknown>, path.slice(key.length + 1));
    if (smaller !== undefined) return { ...value, [key]: smaller };
  }
  return undefined;
}

/** The text of hephaestus.yaml, with what was not carried as comments. */
export const adoptedText = ({ services, config, leftOut, toDo }: AdoptPlan): string =>
  [
    `# yaml-language-server: $schema=${SCHEMA_FILE}`,
    `# Written by hephaestus adopt from ${services.join(" and ")}. Look at it first; docs/adopt.md says how the old stack makes room.`,
    ...leftOut.map(({ what, why }) => `# Not carried: ${what}: ${why}`.replace(/[\r\n]+/g, " ")),
    ...toDo.map((what) => `# To do: ${what}`.replace(/[\r\n]+/g, " ")),
    stringify(config),
  ].join("\n");

/** The plan for people. */
export const planLines = ({ services, config, users, leftOut, toDo, refused }: AdoptPlan): string[] => [
  `adopts ${services.join(" and ")} as the stack ${String(config.stack)}`,
  ...(users === undefined
    ? ["users: it asks nobody for a password; the new one does, so deploy sets one"]
    : [`users: every user with the same password, from ${users.from}: ${users.path} in its task`]),
  ...leftOut.map(({ what, why }) => `not carried: ${what}: ${why}`),
  ...toDo.map((what) => `to do in hephaestus.yaml: ${what}`),
  ...refused.map((why) => `cannot be adopted: ${why}`),
];
