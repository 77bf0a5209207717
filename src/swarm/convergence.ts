import { isDeepStrictEqual } from "node:util";
import type { SwarmService, SwarmTask, TaskTemplate } from "./objects.js";

/** How far a service is on its way to what its spec says. */
export interface Verdict {
  service: string;
  state: "converging" | "converged" | "failed";
  /** Tasks of the current spec that run, and how many there shall be. */
  running: number;
  replicas: number;
  /** What a person should know: what is waited for, or why it failed. */
  reason: string;
}

/** Failures of new tasks after which a service that never ran is given up. */
const MOST_FAILURES = 3;

export const FAILED_TASK = new Set(["failed", "rejected", "orphaned"]);

/**
 * Judges one service by its update status and its tasks.
 *
 * Swarm resets UpdateStatus with every update of a service and sets it again only when tasks have to be
 * replaced, so an absent status says nothing by itself: the tasks have to be of the current spec.
 *
 * @param since ISO time of the deploy; older failures are ignored
 * @param goal whether the service should converge to the new spec, or back to the previous one
 */
export function judge(
  service: SwarmService,
  tasks: readonly SwarmTask[],
  since: string,
  goal: "forward" | "back" = "forward",
): Verdict {
  const name = service.Spec.Name;
  const replicas = service.Spec.Mode.Replicated?.Replicas ?? 1;
  const wanted = tasks.filter(({ DesiredState }) => DesiredState === "running" || DesiredState === "ready");
  const current = wanted.filter((task) => isCurrent(task, service));
  const running = current.filter(({ Status }) => Status.State === "running").length;
  const verdict = (state: Verdict["state"], reason: string): Verdict => ({
    service: name,
    state,
    running,
    replicas,
    reason,
  });

  const update = service.UpdateStatus?.State ?? "";
  const ends = goal === "forward" ? ["rollback_completed", "rollback_paused", "paused"] : ["rollback_paused"];
  if (ends.includes(update)) {
    return verdict("failed", failureOf(tasks, since) ?? service.UpdateStatus?.Message ?? update);
  }
  const failures = tasks.filter((task) => hasFailed(task, since));
  if (goal === "forward" && update === "" && failures.length >= MOST_FAILURES && running < replicas) {
    return verdict("failed", failureOf(tasks, since) ?? "its tasks fail");
  }
  const settled = ["", "completed", ...(goal === "back" ? ["rollback_completed"] : [])].includes(update);
  if (settled && running === replicas && wanted.length === replicas) return verdict("converged", "");
  return verdict("converging", update.startsWith("rollback") ? "going back" : progressOf(wanted, failures));
}

/** The newest failure's own words. */
function failureOf(tasks: readonly SwarmTask[], since: string): string | undefined {
  const failed = tasks.find((task) => hasFailed(task, since));
  return failed ? (failed.Status.Err ?? failed.Status.Message) : undefined;
}

/** Compared as times, not as text: the engine gives its own time in its own zone, and tasks' times in UTC. */
const hasFailed = ({ CreatedAt, Status }: SwarmTask, since: string): boolean =>
  Date.parse(CreatedAt) >= Date.parse(since) && FAILED_TASK.has(Status.State);

function progressOf(wanted: readonly SwarmTask[], failures: readonly SwarmTask[]): string {
  const waiting = wanted.find(({ Status }) => Status.State !== "running");
  const error = waiting?.Status.Err ?? failures[0]?.Status.Err;
  const state = waiting?.Status.State ?? "scheduling";
  return error ? `${state}: ${error}` : state;
}

/** Whether a task has the current spec of its service. Like Swarm, it ignores placement. */
export function isCurrent(task: SwarmTask, service: SwarmService): boolean {
  return isDeepStrictEqual(essence(task.Spec), essence(service.Spec.TaskTemplate));
}

/**
 * A template without placement and runtime, and without zero values: the engine writes some in one place
 * only.
 */
function essence({ Placement: _placement, ...template }: TaskTemplate): unknown {
  return withoutZeros({ ...template, Runtime: undefined });
}

function withoutZeros(value: unknown): unknown {
  if (Array.isArray(value)) return value.length === 0 ? undefined : value.map(withoutZeros);
  if (value === null || typeof value !== "object") return value || undefined;
  const entries = Object.entries(value)
    .map(([key, inner]) => [key, withoutZeros(inner)] as const)
    .filter(([, inner]) => inner !== undefined);
  return entries.length === 0 ? undefined : Object.fromEntries(entries);
}

/** "registry 1/1, gateway 0/1 (starting)" */
export function describe(stack: string, verdicts: readonly Verdict[]): string {
  return verdicts
    .map(({ service, running, replicas, reason }) => {
      return `${service.slice(stack.length + 1)} ${running}/${replicas}${reason ? ` (${reason})` : ""}`;
    })
    .join(", ");
}
