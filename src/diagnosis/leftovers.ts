import type { LockHolder } from "../swarm/lock.js";
import { lockName } from "../swarm/lock.js";
import type { SwarmService } from "../swarm/objects.js";
import { error, type Finding, warning } from "./finding.js";
import type { ServiceFacts } from "./services.js";

/** Set in the registry's environment while a garbage collection runs: when pushes shall be taken again. */
const READ_ONLY_UNTIL = "HEPHAESTUS_READONLY_UNTIL";

/** A lock that nobody holds any more. */
export function judgeLock(stack: string, holder: LockHolder | undefined, stale: boolean): Finding[] {
  if (holder === undefined || !stale) return [];
  return [
    warning(
      "lock-left",
      "a run that was broken left its lock",
      `${lockName(stack)} of ${holder.holder}, valid until ${new Date(holder.expires * 1000).toISOString()}`,
      "Run hephaestus deploy: it takes the lock over, and finishes what that run began.",
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
export function judgeConfigs(names: readonly string[]): Finding[] {
  if (names.length === 0) return [];
  return [
    warning(
      "config-left",
      names.length === 1 ? "a config is left over" : `${names.length} configs are left over`,
      `no service uses ${names.join(", ")}`,
      "Remove what is left over with: hephaestus deploy",
    ),
  ];
}

/** A registry that was left read-only; while somebody holds the lock it is meant to be. */
export function judgeReadOnly(registry: SwarmService | undefined, locked: boolean): Finding[] {
  const line = registry?.Spec.TaskTemplate.ContainerSpec.Env?.find((entry) =>
    entry.startsWith(`${READ_ONLY_UNTIL}=`),
  );
  if (line === undefined || locked) return [];
  return [
    error(
      "registry-read-only",
      "the registry refuses pushes: a garbage collection was broken off",
      `${registry?.Spec.Name} has ${line}, and nobody holds the stack's lock`,
      "Run hephaestus gc or hephaestus deploy again.",
    ),
  ];
}
