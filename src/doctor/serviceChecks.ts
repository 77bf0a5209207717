import type { SwarmService, SwarmTask } from "../docker/objects.js";
import { FAILED_TASK, isCurrent } from "../operation/convergence.js";
import { judgeNamespace, readForeign } from "../operation/ownership.js";
import { serviceNames } from "../stack.js";
import type { Check } from "./check.js";
import type { ServiceFacts } from "./facts.js";
import { error, type Finding, warning } from "./finding.js";
import { serviceStatus } from "./stackStatus.js";

/** So many failures of the same spec within an hour are a loop. */
const LOOP_FAILURES = 3;
const LOOP_MILLISECONDS = 3_600_000;

/**
 * The stack's services.
 *
 * @param wanted names of the config's services, without the stack's
 * @param now the engine's time, which the tasks' times are of
 */
export function judgeServices(
  stack: string,
  wanted: readonly string[],
  running: readonly ServiceFacts[],
  now: Date,
): Finding[] {
  if (running.length === 0) {
    return [
      error(
        "not-deployed",
        `the stack ${stack} is not deployed`,
        `docker stack services ${stack} lists none`,
        "Deploy it: hephaestus deploy",
      ),
    ];
  }
  const short = ({ service }: ServiceFacts) => service.Spec.Name.slice(stack.length + 1);
  const unknown = running.filter((facts) => !wanted.includes(short(facts)));
  return [
    ...wanted.flatMap((name) =>
      judgeService(
        stack,
        name,
        running.find((facts) => short(facts) === name),
        now,
      ),
    ),
    ...unknown.map(({ service }) =>
      warning(
        "service-unknown",
        `the stack runs ${service.Spec.Name}, which the config does not have`,
        "docker stack services lists it, hephaestus.yaml does not lead to it",
        "Remove it with: hephaestus deploy",
      ),
    ),
  ];
}

function judgeService(stack: string, name: string, facts: ServiceFacts | undefined, now: Date): Finding[] {
  if (!facts) {
    return [
      error(
        "service-missing",
        `${name} is not deployed`,
        `docker service inspect ${stack}_${name} finds none`,
        "Bring it back with: hephaestus deploy",
      ),
    ];
  }
  const { service, tasks } = facts;
  const { running, replicas, healthy, reason } = serviceStatus(name, service, tasks);
  const count = `${running} of ${replicas} tasks run`;
  if (replicas === 0) {
    return [
      error(
        "service-off",
        `${name} is scaled to 0`,
        count,
        `Bring it back with: docker service scale ${stack}_${name}=1`,
      ),
    ];
  }
  const findings = judgeUpdate(name, service, tasks);
  const failures = tasks.filter(
    (task) =>
      FAILED_TASK.has(task.Status.State) &&
      isCurrent(task, service) &&
      now.getTime() - Date.parse(task.CreatedAt) < LOOP_MILLISECONDS,
  );
  const down = running < replicas;
  const last = errorOf(tasks);
  const look = `See its log with: hephaestus logs ${name}`;
  if (failures.length >= LOOP_FAILURES) {
    findings.push({
      ...warning(
        "service-crash-loop",
        `${name} fails again and again`,
        `${failures.length} failures within an hour; ${count}${last ? `; ${last}` : ""}`,
        `${look}; fix the reported problem, then run hephaestus deploy.`,
      ),
      severity: down ? "error" : "warning",
    });
  } else if (!healthy && service.UpdateStatus?.State === "updating") {
    findings.push(
      warning(
        "service-updating",
        `${name} is being updated`,
        `${count}; ${reason}`,
        "Wait for it, and run hephaestus doctor again.",
      ),
    );
  } else if (down || (!healthy && findings.length === 0)) {
    findings.push({
      ...error("service-down", `${name} does not run`, `${count}; ${last ?? reason}`, `${look}.`),
      // One task more than wanted is one that ends, or begins.
      ...(down ? {} : { severity: "warning", message: `${name} has not settled` }),
    });
  }
  return findings;
}

/** An update that the engine stopped or took back. */
function judgeUpdate(name: string, { UpdateStatus }: SwarmService, tasks: readonly SwarmTask[]): Finding[] {
  const state = UpdateStatus?.State ?? "";
  const last = errorOf(tasks);
  const evidence = `UpdateStatus ${state}: ${UpdateStatus?.Message ?? ""}${last ? `; ${last}` : ""}`;
  const remedy = "Fix the cause, then run hephaestus deploy.";
  if (state === "paused" || state === "rollback_paused")
    return [error("update-paused", `the last update of ${name} stopped half-way`, evidence, remedy)];
  if (state === "rollback_completed" || state === "rollback_started")
    return [warning("update-rolled-back", `the last update of ${name} was taken back`, evidence, remedy)];
  return [];
}

/** The newest failure's own words, with the task's id. */
function errorOf(tasks: readonly SwarmTask[]): string | undefined {
  const failed = tasks.find(({ Status }) => FAILED_TASK.has(Status.State) || (Status.Err ?? "") !== "");
  return failed && `task ${failed.ID.slice(0, 12)}: ${failed.Status.Err ?? failed.Status.Message}`;
}

export const serviceCheck: Check = {
  id: "services",
  title: "services, tasks and updates",
  theme: "Services",
  needs: "manager",
  run: async ({ config, services, engine }) =>
    judgeServices(config.stack, serviceNames(config), await services(), (await engine()).clock.there),
};

export const namespaceCheck: Check = {
  id: "namespace",
  title: "name of the stack",
  theme: "Services",
  needs: "manager",
  run: async ({ config, docker }) => judgeNamespace(config.stack, await readForeign(docker, config.stack)),
};
