import { errorOrWarning, type Finding, findingKinds, warning } from "../finding.js";
import { readOnlyUntil } from "../maintenance/lease.js";
import { oldMarkers } from "../secrets/handover.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import { unusedConfigs } from "../swarm/leftovers.js";
import { lockName } from "../swarm/lock/lockObjects.js";
import { describeLock, type LockState } from "../swarm/lock/stackLock.js";
import type { Checks } from "./check.js";
import type { ServiceFacts } from "./facts.js";

const kinds = findingKinds("Leftovers", {
  "lock-left": warning(
    "an operation that ended early left its lock",
    "Run hephaestus deploy to take the lock over and finish the operation, or only release it with: hephaestus lock release",
  ),
  "registry-read-only": errorOrWarning(
    "a gc was interrupted, and the registry {state}",
    "Run hephaestus gc or hephaestus deploy again.",
  ),
  "helper-left": warning(
    "the helper service {service} is left over",
    "Remove it with: docker service rm {service}",
  ),
  "config-left": warning("configs are left over", "Remove them with: hephaestus deploy"),
});
const { found } = kinds;

/** A lock whose holder has ended. */
export function judgeLock(stack: string, lock: LockState | undefined): Finding[] {
  if (lock === undefined || !lock.stale) return [];
  return [found("lock-left", {}, `${lockName(stack)} of ${describeLock(lock)}`)];
}

/**
 * A registry that was left read-only; while the lock is held, that is intended.
 *
 * @param until seconds since the epoch, undefined if it takes writes
 */
export function judgeReadOnly(until: number | undefined, locked: boolean, now: Date): Finding[] {
  if (until === undefined || locked) return [];
  const evidence = `its service has ${READONLY_VARIABLE}=${until}, and the stack is not locked`;
  const refuses = until * 1000 > now.getTime();
  const state = refuses ? "refuses pushes" : "would refuse pushes by a setting that has expired";
  return [found("registry-read-only", { state }, evidence, refuses ? "error" : "warning")];
}

const LIVE = new Set(["new", "pending", "assigned", "accepted", "preparing", "ready", "starting", "running"]);

/** Services that were started for a moment, and whose task ended long ago. */
export const judgeHelpers = (helpers: readonly ServiceFacts[]): Finding[] =>
  helpers
    .filter(({ tasks }) => tasks.length > 0 && !tasks.some(({ Status }) => LIVE.has(Status.State)))
    .map(({ service, tasks: [newest] }) => {
      const evidence = `its task is ${newest?.Status.State} since ${newest?.CreatedAt}`;
      return found("helper-left", { service: service.Spec.Name }, evidence);
    });

/** Configs of older content, and markers of generations that are gone. */
const judgeConfigs = (names: readonly string[]): Finding[] =>
  names.length === 0 ? [] : [found("config-left", {}, `no service uses ${names.join(", ")}`)];

export const leftoverChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "lock",
      needs: "manager",
      run: async ({ config, lock }) => judgeLock(config.stack, await lock()),
    },
    {
      title: "maintenance",
      needs: "manager",
      run: async ({ config, bareServices, isLocked }) =>
        judgeReadOnly(readOnlyUntil(await bareServices(), config.stack), await isLocked(), new Date()),
    },
    {
      title: "helper services",
      needs: "manager",
      onlyAtRest: true,
      run: async ({ helpers }) => judgeHelpers(await helpers()),
    },
    {
      title: "old configs",
      needs: "manager",
      onlyAtRest: true,
      run: async ({ config, docker, bareServices, secrets }) => {
        const generations = (await secrets()).secrets.map(({ generation }) => generation);
        return judgeConfigs([
          ...(await unusedConfigs(docker, config.stack, await bareServices())),
          ...(await oldMarkers(docker, config.stack, generations)),
        ]);
      },
    },
  ],
};
