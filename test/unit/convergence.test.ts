import { describe, expect, test } from "vitest";
import { describe as describeVerdicts, judge } from "../../src/swarm/convergence.js";
import type { TaskTemplate } from "../../src/swarm/objects.js";
import { SINCE, service, task, template } from "./swarmObjects.js";

describe("a service", () => {
  test.each([
    ["whose task runs", service(), [task("running")], "converged"],
    ["whose task starts", service(), [task("starting")], "converging"],
    ["that has no task yet", service(), [], "converging"],
    [
      "whose task is of an older spec",
      service(),
      [task("running", { Spec: template("registry:1") })],
      "converging",
    ],
    [
      "that is being updated",
      service({ UpdateStatus: { State: "updating" } }),
      [task("running")],
      "converging",
    ],
    ["that was updated", service({ UpdateStatus: { State: "completed" } }), [task("running")], "converged"],
    [
      "whose old task still runs",
      service(),
      [task("running"), task("running", { Spec: template("registry:1") })],
      "converging",
    ],
    [
      "that the engine takes back",
      service({ UpdateStatus: { State: "rollback_started" } }),
      [task("rejected")],
      "converging",
    ],
    [
      "that the engine took back",
      service({ UpdateStatus: { State: "rollback_completed" } }),
      [task("rejected")],
      "failed",
    ],
    ["that stands still", service({ UpdateStatus: { State: "paused", Message: "paused" } }), [], "failed"],
    [
      "whose old task ends",
      service(),
      [task("running"), task("running", { DesiredState: "shutdown" })],
      "converged",
    ],
    [
      "of which another task waits for its place",
      service(),
      [task("running"), task("ready", { DesiredState: "ready" })],
      "converging",
    ],
    [
      "whose tasks fail while the engine updates it, which decides itself",
      service({ UpdateStatus: { State: "updating" } }),
      [task("rejected"), task("rejected"), task("rejected")],
      "converging",
    ],
    [
      "that runs after three failures",
      service(),
      [task("running"), task("rejected"), task("rejected"), task("rejected")],
      "converged",
    ],
    ["whose tasks failed twice", service(), [task("rejected"), task("rejected")], "converging"],
    [
      "whose tasks failed three times",
      service(),
      [task("rejected"), task("rejected"), task("rejected")],
      "failed",
    ],
    [
      "whose tasks failed before this deploy",
      service(),
      [1, 2, 3].map(() => task("rejected", { CreatedAt: "2025-01-01T00:00:00Z" })),
      "converging",
    ],
  ] as const)("%s is judged", (_name, given, tasks, state) => {
    const verdict = judge(given, tasks, SINCE);
    expect(verdict.state).toBe(state);
    if (state === "failed" && tasks.length > 0) expect(verdict.reason).toBe("No such image: x");
  });

  test("is the same where the engine writes zero values on one side only", () => {
    const written = {
      ...template(),
      Runtime: "container",
      Placement: { Constraints: ["a"] },
    } as TaskTemplate;
    Object.assign(written.ContainerSpec, {
      DNSConfig: {},
      Privileges: { NoNewPrivileges: false },
      Hosts: [],
    });
    const spec = { ...service().Spec, TaskTemplate: written };
    expect(judge(service({ Spec: spec }), [task("running")], SINCE).state).toBe("converged");
  });

  test("whose tasks were lost with their node three times has failed", () => {
    const lost = [1, 2, 3].map(() => task("orphaned", { DesiredState: "shutdown" }));
    expect(judge(service(), lost, SINCE).state).toBe("failed");
  });

  test("that shall have no task has converged without one", () => {
    const none = service();
    none.Spec.Mode = { Replicated: { Replicas: 0 } };
    expect(judge(none, [], SINCE)).toMatchObject({ state: "converged", running: 0, replicas: 0 });
  });

  test("that goes back is not given up for the failures of the way there", () => {
    const failures = [1, 2, 3].map(() => task("rejected"));
    expect(judge(service(), failures, SINCE, "back").state).toBe("converging");
    const started = service({ UpdateStatus: { State: "rollback_started" } });
    expect(judge(started, failures, SINCE).reason).toBe("going back");
  });

  test("that goes back has arrived when the engine took it back", () => {
    const back = service({ UpdateStatus: { State: "rollback_completed" } });
    expect(judge(back, [task("running")], SINCE, "back").state).toBe("converged");
  });

  test("whose failures are told in another time zone than the engine's is judged by the time itself", () => {
    const failures = (CreatedAt: string) => [1, 2, 3].map(() => task("rejected", { CreatedAt }));
    // 10:00 UTC in both: `docker info` gives the zone of the engine, its tasks are in UTC.
    const east = "2026-06-01T12:00:00.5+02:00";
    const west = "2026-06-01T05:00:00.5-05:00";
    for (const since of [east, west]) {
      expect(judge(service(), failures("2026-06-01T10:00:01Z"), since).state).toBe("failed");
      expect(judge(service(), failures("2026-06-01T09:59:59Z"), since).state).toBe("converging");
    }
  });

  test("counts only the running tasks of the current spec, out of those that it shall have", () => {
    const three = service();
    three.Spec.Mode = { Replicated: { Replicas: 3 } };
    const old = task("running", { Spec: template("registry:1") });
    expect(judge(three, [task("running"), task("starting"), old], SINCE)).toMatchObject({
      state: "converging",
      running: 1,
      replicas: 3,
      reason: "starting",
    });
  });

  test("that is paused going back has failed, whichever way it shall go", () => {
    const paused = service({ UpdateStatus: { State: "rollback_paused", Message: "rollback paused" } });
    for (const goal of ["forward", "back"] as const) {
      expect(judge(paused, [], SINCE, goal)).toMatchObject({ state: "failed", reason: "rollback paused" });
    }
  });

  test.each([
    ["another image", { ContainerSpec: { Image: "registry:3" } }],
    ["another secret", { ContainerSpec: { Image: "registry:2", Secrets: [{ SecretName: "x_2" }] } }],
    ["a forced update", { ForceUpdate: 1 }],
    ["a read-only root", { ContainerSpec: { Image: "registry:2", ReadOnly: true } }],
  ])("that asks for %s has not converged while the old task runs", (_name, change) => {
    const spec = { ...service().Spec, TaskTemplate: { ...template(), ...change } };
    expect(judge(service({ Spec: spec }), [task("running")], SINCE).state).toBe("converging");
  });
});

test("services are told without the name of their stack, with what is waited for", () => {
  const verdicts = [judge(service(), [task("running")], SINCE), judge(service(), [task("starting")], SINCE)];
  expect(describeVerdicts("forge", verdicts)).toBe("registry 1/1, registry 0/1 (starting)");
});
