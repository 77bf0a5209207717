import { readOnlyUntil } from "../maintenance/lease.js";
import { unusedConfigs } from "../operation/leftovers.js";
import { lockName } from "../operation/lockObjects.js";
import { describeLock, type LockState } from "../operation/stackLock.js";
import { oldMarkers } from "../secrets/handover.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import type { Check } from "./check.js";
import type { ServiceFacts } from "./facts.js";
import { error, type Finding, warning } from "./finding.js";

/** A lock whose holder has ended. */
export function judgeLock(stack: string, lock: LockState | undefined): Finding[] {
  if (lock === undefined || !lock.stale) return [];
  return [
    warning(
      "lock-left",
      "an operation that ended early left its lock",
      `${lockName(stack)} of ${describeLock(lock)}`,
      "Run hephaestus deploy to take the lock over and finish the operation, or only release it with: hephaestus lock release",
    ),
  ];
}

const LIVE = new Set(["new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"]);

/** Services that were started for a moment, and whose task ended long ago. */
export function judgeHelpers(helpers: readonly ServiceFacts[]): Finding[] {
  return helpers
    .filter(({ tasks }) => tasks.length > 0 && !tasks.some(({ Status }) => LIVE.has(Status.State)))
    .map(({ service, tasks }) =>
      warning(
        "helper-left",
        `the helper service ${service.Spec.Name} was left behind`,
        `its task is ${tasks[0]?.Status.State} since ${tasks[0]?.CreatedAt}`,
        `Remove it with: docker service rm ${service.Spec.Name}`,
      ),
    );
}

/** Configs of older content, and markers of generations that are gone. */
function judgeConfigs(names: readonly string[]): Finding[] {
  if (names.length === 0) return [];
  return [
    warning(
      "config-left",
      names.length === 1 ? "a config is left over" : `${names.length} configs are left over`,
      `no service uses ${names.join(", ")}`,
      "Remove them with: hephaestus deploy",
    ),
  ];
}

/**
 * A registry that was left read-only; while the lock is held, that is intended.
 *
 * @param until seconds since the epoch, undefined where it takes writes
 */
export function judgeReadOnly(until: number | undefined, locked: boolean, now: Date): Finding[] {
  if (until === undefined || locked) return [];
  const evidence = `its service has ${READONLY_VARIABLE}=${until}, and the stack is not locked`;
  const remedy = "Run hephaestus gc or hephaestus deploy again.";
  return [
    until * 1000 > now.getTime()
      ? error("registry-read-only", "the registry refuses pushes: a gc was interrupted", evidence, remedy)
      : warning("registry-read-only", "a gc was interrupted", evidence, remedy),
  ];
}

export const lockCheck: Check = {
  id: "lock",
  title: "lock",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, lock }) => judgeLock(config.stack, await lock()),
};

export const readOnlyCheck: Check = {
  id: "read-only",
  title: "maintenance",
  theme: "Leftovers",
  needs: "manager",
  run: async ({ config, bareServices, isLocked }) =>
    judgeReadOnly(readOnlyUntil(await bareServices(), config.stack), await isLocked(), new Date()),
};

export const helperCheck: Check = {
  id: "helpers",
  title: "helper services",
  theme: "Leftovers",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ helpers }) => judgeHelpers(await helpers()),
};

export const oldConfigCheck: Check = {
  id: "configs",
  title: "old configs",
  theme: "Leftovers",
  needs: "manager",
  onlyAtRest: true,
  run: async ({ config, docker, bareServices, secrets }) => {
    const generations = (await secrets()).secrets.map(({ generation }) => generation);
    return judgeConfigs([
      ...(await unusedConfigs(docker, config.stack, await bareServices())),
      ...(await oldMarkers(docker, config.stack, generations)),
    ]);
  },
};
