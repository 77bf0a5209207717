import type { Subject } from "./mutation.js";

/** Convergence, whose an object is, and the ways back. */
export const SWARM: readonly Subject[] = [
  {
    file: "src/swarm/convergence.ts",
    tests: ["convergence.test.ts"],
    mutations: [
      {
        what: "const MOST_FAILURES = 3;",
        by: "const MOST_FAILURES = 4;",
        rule: "three failures are too many",
      },
      {
        what: "Mode.Replicated?.Replicas ?? 1;",
        by: "Mode.Replicated?.Replicas || 1;",
        rule: "a service of no tasks has converged without one",
      },
      {
        what: 'DesiredState === "running" || DesiredState === "ready");',
        by: 'DesiredState === "running");',
        rule: "a task that waits for its start counts",
      },
      {
        what: 'DesiredState === "running" || DesiredState === "ready");',
        by: "DesiredState !== undefined);",
        rule: "a task that shall end does not count",
      },
      {
        what: "wanted.filter((task) => isCurrent(task, service));",
        by: "wanted;",
        rule: "only tasks of the current spec run",
      },
      {
        what: 'Status.State === "running").length;',
        by: 'Status.State !== "failed").length;',
        rule: "a task that starts does not run yet",
      },
      {
        what: '["rollback_completed", "rollback_paused", "paused"] :',
        by: '["rollback_completed", "rollback_paused"] :',
        rule: "an update that stands still has failed",
      },
      {
        what: '["rollback_completed", "rollback_paused", "paused"] :',
        by: '["rollback_paused", "paused"] :',
        rule: "what the engine took back has failed",
      },
      {
        what: 'goal === "forward" && update === "" && failures',
        by: 'update === "" && failures',
        rule: "the way back is not given up for failures of the way there",
      },
      {
        what: 'goal === "forward" && update === "" && failures',
        by: 'goal === "forward" && failures',
        rule: "while the engine updates, it decides about failures",
      },
      { what: "&& running < replicas) {", by: ") {", rule: "a service that runs in the end has not failed" },
      {
        what: '["", "completed", ...(goal',
        by: '["", "completed", "updating", ...(goal',
        rule: "what is being updated has not converged",
      },
      {
        what: '...(goal === "back" ? ["rollback_completed"] : [])]',
        by: '"rollback_completed"]',
        rule: "what was taken back has not converged",
        survives: "the way forward has failed with that status some lines above",
      },
      {
        what: "&& wanted.length === replicas) return",
        by: ") return",
        rule: "an old task that still runs is waited for",
      },
      {
        what: "Date.parse(CreatedAt) >= Date.parse(since)",
        by: "CreatedAt >= since",
        rule: "times are compared as times",
      },
      {
        what: "&& FAILED_TASK.has(Status.State);",
        by: '&& Status.State === "failed";',
        rule: "a task that was rejected has failed",
      },
      {
        what: '"failed", "rejected", "orphaned"]',
        by: '"failed", "rejected"]',
        rule: "a task of a lost node has failed",
      },
      {
        what: "({ Placement: _placement, ...template }",
        by: "({ ...template }",
        rule: "placement alone makes no new tasks",
      },
      { what: "Runtime: undefined });", by: "});", rule: "the runtime is no difference" },
      {
        what: "return entries.length === 0 ? undefined : Object",
        by: "return Object",
        rule: "an empty group is none",
      },
      { what: "value.length === 0 ? undefined : value.map", by: "value.map", rule: "an empty list is none" },
      {
        what: "(failed.Status.Err ?? failed.Status.Message)",
        by: "failed.Status.Message",
        rule: "a failure is told in its own words",
      },
      {
        what: "service.slice(stack.length + 1)",
        by: "service.slice(stack.length)",
        rule: "services are named without the stack",
      },
      {
        what: 'update.startsWith("rollback") ? "going back" :',
        by: "",
        rule: "that the engine goes back is told",
      },
    ],
  },
  {
    file: "src/docker/engineApi.ts",
    tests: ["engineConnection.test.ts", "swarm.test.ts", "removeSecrets.test.ts", "lock.test.ts"],
    mutations: [
      {
        what: "return answer.status === 404 ? undefined : checked",
        by: "return !isSuccess(answer.status) ? undefined : checked",
        rule: "an engine that does not answer is no proof that something is absent",
      },
      {
        what: "answer.status === 409",
        by: "answer.status !== 201",
        rule: "an engine that refuses is no name that is taken",
      },
      {
        what: "return status === 404 || isSuccess(status);",
        by: "return status !== undefined;",
        rule: "what the engine keeps is not removed",
      },
      {
        what: "return checkJson(schema, text).json as T;",
        by: "return JSON.parse(text) as T;",
        rule: "an odd answer is an error with its source",
      },
    ],
  },
  {
    file: "src/docker/engineConnection.ts",
    tests: ["engineConnection.test.ts"],
    mutations: [
      {
        what: ' || asked.method === "POST")',
        by: ")",
        rule: "what changes something is never sent twice",
      },
      {
        what: "(socket as DialStdio).unref();",
        by: "",
        rule: "a connection that nobody uses does not keep the program from ending",
      },
      {
        what: "maxSockets: MOST_CONNECTIONS",
        by: "maxSockets: 9",
        rule: "questions at the same time start few processes",
      },
      {
        what: "if (this.version === undefined) {",
        by: "{",
        rule: "the version of the engine is asked once",
      },
    ],
  },
  {
    file: "src/swarm/objects.ts",
    tests: ["ownership.test.ts", "swarm.test.ts"],
    mutations: [
      {
        what: "Spec.Labels?.[OWNER_LABEL] === stack;",
        by: "Spec.Labels?.[OWNER_LABEL] !== undefined;",
        rule: "a service with the label of another stack is not ours",
      },
      {
        what: "(await listServices(docker, inNamespace(stack))).filter((service) => isOwnService(stack, service));",
        by: "listServices(docker, inNamespace(stack));",
        rule: "services of others in the namespace are left out",
      },
    ],
  },
  {
    file: "src/swarm/ownership.ts",
    tests: ["ownership.test.ts"],
    mutations: [
      {
        what: "(Labels?.[OWNER_LABEL] === stack) === own)",
        by: "(Labels?.[OWNER_LABEL] !== undefined) === own)",
        rule: "the label of another stack makes nothing ours",
      },
    ],
  },
  {
    file: "src/deploy/preflight.ts",
    tests: ["preflight.test.ts"],
    mutations: [
      {
        what: 'finding.code === "not-checked" ?',
        by: "false ?",
        rule: "what cannot be checked stops a deploy",
      },
      {
        what: "[...findings.map(blocking), ",
        by: "[",
        rule: "the checks that block are reported",
      },
    ],
  },
  {
    file: "src/doctor/facts.ts",
    tests: ["lock.test.ts"],
    mutations: [
      {
        what: "stale: await isDead(docker, stack, state)",
        by: "stale: state.stale",
        rule: "a lock that looks dead is watched before doctor says so",
      },
    ],
  },
  {
    file: "src/doctor/serviceChecks.ts",
    tests: ["ownership.test.ts"],
    mutations: [
      {
        what: "foreign.length - named.length} more",
        by: "foreign.length} more",
        rule: "those that are not named are counted",
      },
      { what: "if (foreign.length === 0) return [];", by: "", rule: "an empty namespace is in order" },
    ],
  },
  {
    file: "src/swarm/baseline.ts",
    tests: ["baseline.test.ts"],
    mutations: [
      {
        what: 'if (spec === undefined) return [{ action: "remove", service }];',
        by: "if (spec === undefined) return [];",
        rule: "a service that was not there goes",
      },
      {
        what: "isDeepStrictEqual(spec, service.Spec) ? []",
        by: "false ? []",
        rule: "a service that is as it was is not touched",
      },
      { what: "!present.has(Name))", by: "present.has(Name))", rule: "a service that is gone comes back" },
      {
        what: "isDeepStrictEqual(PreviousSpec, spec)",
        by: "true",
        rule: "the engine goes back by itself only to the same spec",
      },
      {
        what: "const ROUNDS = 5;",
        by: "const ROUNDS = 1;",
        rule: "what the engine changed meanwhile is tried again",
      },
    ],
  },
  {
    file: "src/maintenance/lease.ts",
    tests: ["history.test.ts", "lease.test.ts"],
    mutations: [
      {
        what: "Number(value.slice(PREFIX.length));",
        by: "Number(value.slice(PREFIX.length + 1));",
        rule: "the end of the lease is read",
      },
      {
        what: ".filter((line) => !line.startsWith(PREFIX))",
        by: "",
        rule: "the registry takes writes again",
      },
      {
        what: "[...others, variable]",
        by: "[variable]",
        rule: "the other variables of the registry stay",
      },
    ],
  },
  {
    file: "src/services/parts.ts",
    tests: ["times.test.ts"],
    mutations: [{ what: "60 + replicas * (50", by: "60 + 1 * (50", rule: "each replica has time to roll" }],
  },
  {
    file: "src/storage/runningStorage.ts",
    tests: ["storageSplit.test.ts"],
    mutations: [
      { what: "if (isSharedStorage(config)) return [];", by: "", rule: "a shared storage is not split" },
      { what: ".size < 2) return [];", by: ".size < 3) return [];", rule: "two nodes are two folders" },
      {
        what: 'Status.State === "running" && DesiredState === "running"',
        by: 'Status.State === "running"',
        rule: "a task that shall end does not count",
      },
      {
        what: 'readsFiles(config) ? "gateway" : "reader"',
        by: '"reader"',
        rule: "a gateway that reads files has the registry's folder",
      },
    ],
  },
];
