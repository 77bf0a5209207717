import { error, type Rule, warning } from "./configIssue.js";
import { ROLLOUT_SECONDS } from "./limits.js";
import { secondsOf } from "./text.js";

/** Rules about times that depend on each other. */

/** A task that is watched for less is not asked a second time before Swarm replaces the next one. */
const monitorCoversProbe: Rule = ({ swarm: { monitor, probe } }) =>
  secondsOf(monitor) < secondsOf(probe)
    ? error(
        "swarm.monitor",
        `a new task is watched for ${monitor}, and probed every ${probe}: not once while it is watched`,
        `Set swarm.monitor to ${probe} or more, or swarm.probe to ${monitor} or less.`,
      )
    : undefined;

/** Swarm replaces one task of a service after the other. */
const rolloutFitsItsTime: Rule = ({ swarm, registry, gateway }) => {
  const tasks = Math.max(registry.replicas, gateway.replicas);
  const least = tasks * (secondsOf(swarm.probe) + secondsOf(swarm.monitor));
  return least >= ROLLOUT_SECONDS
    ? warning(
        "swarm.monitor",
        `a rollout of ${tasks} ${tasks === 1 ? "task" : "tasks"} takes ${least} s or more, and is given up after ${ROLLOUT_SECONDS} s`,
        "Set smaller times, or give each command that rolls a service a longer --timeout.",
      )
    : undefined;
};

export const timeRules: readonly Rule[] = [monitorCoversProbe, rolloutFitsItsTime];
