import type { FactChange, ServiceDifference } from "../diff/serviceDifferences.js";
import { error, errorOrWarning, type Finding, findingKinds, warning } from "../finding.js";
import { OWNER_LABEL } from "../services/composeModel.js";
import { READONLY_VARIABLE } from "../services/registry.js";
import { serviceNames } from "../stack.js";
import { FAILED_TASK, isCurrent } from "../swarm/convergence.js";
import type { SwarmService, SwarmTask } from "../swarm/objects.js";
import { type ForeignObject, readForeign } from "../swarm/ownership.js";
import type { Checks } from "./check.js";
import type { ServiceFacts } from "./facts.js";
import { serviceStatus } from "./stackStatus.js";

const kinds = findingKinds("Services", {
  "not-deployed": error("the stack {stack} is not deployed", "Deploy it: hephaestus deploy"),
  "namespace-foreign": error(
    "the stack name {stack} is in use by something else: {objects}",
    "To keep a registry that runs there: hephaestus adopt {stack}. Else set another name in hephaestus.yaml (stack: …), or, if nobody needs them, remove them: {commands}",
  ),
  "service-missing": error("{service} is not deployed", "Bring it back with: hephaestus deploy"),
  "service-unknown": warning(
    "the stack runs {service}, which the config does not have",
    "Remove it with: hephaestus deploy",
  ),
  "service-off": error(
    "{service} is scaled to 0",
    "Bring it back with: docker service scale {stack}_{service}=1",
  ),
  "service-down": errorOrWarning("{service} {fault}", "See its log with: hephaestus logs {service}", {
    meaning: "a service does not run, or has not settled",
  }),
  "service-crash-loop": errorOrWarning(
    "{service} fails again and again",
    "See its log with: hephaestus logs {service}; fix the reported problem, then run hephaestus deploy.",
  ),
  "service-updating": warning("{service} is being updated", "Wait for it, and run hephaestus doctor again."),
  "service-drifted": warning(
    "{service} differs from what a deploy would set",
    "See the differences with: hephaestus diff. Revert them with: hephaestus deploy, or add them to hephaestus.yaml.",
  ),
  "update-paused": error(
    "the last update of {service} stopped half-way",
    "Fix the cause, then run hephaestus deploy.",
  ),
  "update-rolled-back": warning(
    "the last update of {service} was rolled back",
    "Fix the cause, then run hephaestus deploy.",
  ),
});
const { found } = kinds;

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
  if (running.length === 0)
    return [found("not-deployed", { stack }, `docker stack services ${stack} lists none`)];
  const short = ({ service }: ServiceFacts) => service.Spec.Name.slice(stack.length + 1);
  const evidence = "docker stack services lists it, hephaestus.yaml does not lead to it";
  return [
    ...wanted.flatMap((name) => {
      const facts = running.find((one) => short(one) === name);
      if (facts !== undefined) return judgeService(stack, name, facts, now);
      return [
        found("service-missing", { service: name }, `docker service inspect ${stack}_${name} finds none`),
      ];
    }),
    ...running
      .filter((facts) => !wanted.includes(short(facts)))
      .map(({ service }) => found("service-unknown", { service: service.Spec.Name }, evidence)),
  ];
}

function judgeService(stack: string, name: string, { service, tasks }: ServiceFacts, now: Date): Finding[] {
  const { running, replicas, healthy, reason } = serviceStatus(name, service, tasks);
  const count = `${running} of ${replicas} tasks run`;
  if (replicas === 0) return [found("service-off", { service: name, stack }, count)];
  const findings = judgeUpdate(name, service, tasks);
  const failures = tasks.filter(
    (task) =>
      FAILED_TASK.has(task.Status.State) &&
      isCurrent(task, service) &&
      now.getTime() - Date.parse(task.CreatedAt) < LOOP_MILLISECONDS,
  );
  const down = running < replicas;
  const severity = down ? "error" : "warning";
  const last = errorOf(tasks);
  if (failures.length >= LOOP_FAILURES) {
    const evidence = [`${failures.length} failures within an hour`, count, ...(last ? [last] : [])];
    findings.push(found("service-crash-loop", { service: name }, evidence.join("; "), severity));
  } else if (!healthy && service.UpdateStatus?.State === "updating") {
    findings.push(found("service-updating", { service: name }, `${count}; ${reason}`));
  } else if (down || (!healthy && findings.length === 0)) {
    // One task more than wanted is one that ends, or begins.
    const fault = down ? "does not run" : "has not settled";
    findings.push(found("service-down", { service: name, fault }, `${count}; ${last ?? reason}`, severity));
  }
  return findings;
}

/** An update that the engine stopped or rolled back. */
function judgeUpdate(
  service: string,
  { UpdateStatus }: SwarmService,
  tasks: readonly SwarmTask[],
): Finding[] {
  const state = UpdateStatus?.State ?? "";
  const last = errorOf(tasks);
  const evidence = `UpdateStatus ${state}: ${UpdateStatus?.Message ?? ""}${last ? `; ${last}` : ""}`;
  if (state === "paused" || state === "rollback_paused")
    return [found("update-paused", { service }, evidence)];
  if (state === "rollback_completed" || state === "rollback_started")
    return [found("update-rolled-back", { service }, evidence)];
  return [];
}

/** The newest failure's own words, with the task's id. */
function errorOf(tasks: readonly SwarmTask[]): string | undefined {
  const failed = tasks.find(({ Status }) => FAILED_TASK.has(Status.State) || (Status.Err ?? "") !== "");
  return failed && `task ${failed.ID.slice(0, 12)}: ${failed.Status.Err ?? failed.Status.Message}`;
}

/** Number of foreign objects that a finding names; the others are counted. */
const NAMED_OBJECTS = 5;

/**
 * Reports foreign objects in the namespace of the stack, since two owners would overwrite each other. Pure.
 */
export function judgeNamespace(stack: string, foreign: readonly ForeignObject[]): Finding[] {
  if (foreign.length === 0) return [];
  const named = foreign.slice(0, NAMED_OBJECTS);
  const more = foreign.length > named.length ? ` and ${foreign.length - named.length} more` : "";
  const objects = named.map(({ type, name }) => `${type} ${name}`).join(", ") + more;
  const commands = named.map(({ type, name }) => `docker ${type} rm ${name}`).join("; ");
  const evidence = `they are in the namespace ${stack} and do not have the label ${OWNER_LABEL}=${stack}`;
  return [found("namespace-foreign", { stack, objects, commands }, evidence)];
}

/** So many changes are shown, the others counted. */
const SHOWN_CHANGES = 5;

/**
 * Services with other settings than a deploy would give them; other findings report those that are missing or
 * unknown.
 */
export function judgeDrift(stack: string, differences: readonly ServiceDifference[]): Finding[] {
  return differences.flatMap(({ service, action, changes }) => {
    const rest = action === "update" ? changes.filter((change) => !isReportedElsewhere(change)) : [];
    if (rest.length === 0) return [];
    const more = rest.length > SHOWN_CHANGES ? [`and ${rest.length - SHOWN_CHANGES} more`] : [];
    const evidence = [...rest.slice(0, SHOWN_CHANGES).map(inWords), ...more].join("; ");
    return [found("service-drifted", { service: service.slice(stack.length + 1) }, evidence)];
  });
}

const isReportedElsewhere = ({ fact, from }: FactChange): boolean =>
  (fact === "replicas" && from === "0") ||
  fact === `environment ${READONLY_VARIABLE}` ||
  fact.startsWith("environment REGISTRY_AUTH");

function inWords({ fact, from, to }: FactChange): string {
  if (from === undefined) return `lacks ${fact} (${to})`;
  return to === undefined ? `has ${fact} (${from})` : `${fact} is ${from} instead of ${to}`;
}

export const serviceChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "services, tasks and updates",
      needs: "manager",
      run: async ({ config, services, engine }) =>
        judgeServices(config.stack, serviceNames(config), await services(), (await engine()).clock.there),
    },
    {
      title: "name of the stack",
      needs: "manager",
      preflight: true,
      run: async ({ config, docker }) =>
        judgeNamespace(config.stack, await readForeign(docker, config.stack)),
    },
    {
      title: "settings of the services",
      needs: "manager",
      onlyAtRest: true,
      run: async ({ config, differences }) => judgeDrift(config.stack, await differences()),
    },
  ],
};
