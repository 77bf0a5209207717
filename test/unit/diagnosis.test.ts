import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { judgeRegistryLine, judgeVersions } from "../../src/doctor/configChecks.js";
import { judgeDataRoot, judgeEngineClock } from "../../src/doctor/engineChecks.js";
import { judgeHelpers, judgeLock, judgeReadOnly } from "../../src/doctor/leftoverChecks.js";
import { judgeRegistryEnvironment, judgeSecretUse } from "../../src/doctor/secretChecks.js";
import { judgeDrift, judgeServices } from "../../src/doctor/serviceChecks.js";
import { judgeStorage } from "../../src/doctor/storageChecks.js";
import type { Finding } from "../../src/finding.js";
import type { Disk } from "../../src/host/freeSpace.js";
import type { SecretReport } from "../../src/secrets/secretsReport.js";
import { secretsOf, serviceNames } from "../../src/stack.js";
import { isReadOnly, type Storage } from "../../src/storage/disk.js";
import type { SwarmService, SwarmTask } from "../../src/swarm/objects.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { judgeHandOver } from "../../src/users/userFindings.js";
import { service, task, template } from "./swarmObjects.js";

/** What facts mean. Which facts there are, the end-to-end tests show. */

const { config } = loadConfig("domain: a.example\nstack: forge", "f", {});

const ids = (findings: readonly Finding[]) => findings.map(({ severity, code }) => `${severity} ${code}`);

const named = (
  name: string,
  changes: Partial<SwarmService> = {},
  spec: Partial<SwarmService["Spec"]> = {},
) => {
  const one = service(changes);
  return { ...one, Spec: { ...one.Spec, Name: `forge_${name}`, ...spec } };
};

test("a registry of line 2 gets no more fixes", () => {
  const judge = (registry: string) =>
    judgeRegistryLine(loadConfig(`domain: a.example\nregistry: ${registry}`, "f", {}).config);
  for (const registry of ["{}", "{ image: 'registry:2' }", "{ image: 'our/registry:9', version: 2 }"])
    expect(ids(judge(registry)), registry).toEqual(["warning registry-line-ended"]);
  expect(judge("{}")[0]?.evidence).toContain("registry:2.8.3; the last release of line 2 is 2.8.3, of 2023-");
  for (const registry of ["{ image: 'registry:3.0.0' }", "{ image: 'our/registry:9', version: 3 }"])
    expect(judge(registry), registry).toEqual([]);
});

describe("services", () => {
  const now = new Date("2026-01-01T00:30:00Z");
  const judge = (changes: Partial<SwarmService>, tasks: SwarmTask[], replicas = 1) => {
    const registry = named("registry", changes, { Mode: { Replicated: { Replicas: replicas } } });
    return judgeServices("forge", ["registry"], [{ service: registry, tasks }], now);
  };
  const failed = (id: string, changes: Partial<SwarmTask> = {}) =>
    task("failed", { ID: id, Status: { State: "failed", Err: "task: non-zero exit (1)" }, ...changes });
  const loop = [failed("f1"), failed("f2"), failed("f3")];

  test.each<[string, Finding[], string[]]>([
    ["nothing of a sound one", judge({}, [task("running")]), []],
    [
      "nothing of one whose last update went well",
      judge({ UpdateStatus: { State: "completed" } }, [task("running")]),
      [],
    ],
    ["nothing of two failures", judge({}, [task("running"), ...loop.slice(1)]), []],
    [
      "nothing of failures of an earlier spec",
      judge({}, [task("running"), ...loop.map((one) => ({ ...one, Spec: template("old:1") }))]),
      [],
    ],
    [
      "nothing of failures long ago",
      judge({}, [task("running"), ...loop.map((one) => ({ ...one, CreatedAt: "2025-12-31T00:00:00Z" }))]),
      [],
    ],
    ["one that fails again and again", judge({}, [task("starting"), ...loop]), ["error service-crash-loop"]],
    [
      "one that fails again and again, and runs now",
      judge({}, [task("running"), ...loop]),
      ["warning service-crash-loop"],
    ],
    ["one that waits for a node", judge({}, [task("pending")]), ["error service-down"]],
    [
      "one that is being updated",
      judge({ UpdateStatus: { State: "updating" } }, [task("starting")]),
      ["warning service-updating"],
    ],
    [
      "an update that stopped",
      judge({ UpdateStatus: { State: "paused", Message: "update paused due to failure" } }, [
        task("running"),
      ]),
      ["error update-paused"],
    ],
    [
      "an update that was taken back",
      judge({ UpdateStatus: { State: "rollback_completed" } }, [task("running")]),
      ["warning update-rolled-back"],
    ],
    ["one that is scaled to 0", judge({}, [], 0), ["error service-off"]],
    [
      "one that is not there",
      judgeServices(
        "forge",
        ["registry", "gateway"],
        [{ service: named("registry"), tasks: [task("running")] }],
        now,
      ),
      ["error service-missing"],
    ],
    [
      "one that the config does not have",
      judgeServices("forge", [], [{ service: named("cache"), tasks: [] }], now),
      ["warning service-unknown"],
    ],
    [
      "a stack that is not deployed, once",
      judgeServices("forge", serviceNames(config), [], now),
      ["error not-deployed"],
    ],
  ])("finds %s", (_name, findings, expected) => expect(ids(findings)).toEqual(expected));

  test("the task's own error is the evidence", () => {
    const rejected = task("rejected", { ID: "abcdefghijklmnop" });
    const [finding] = judge({ UpdateStatus: { State: "rollback_completed", Message: "rolled back" } }, [
      task("running"),
      rejected,
    ]);
    expect(finding?.evidence).toBe(
      "UpdateStatus rollback_completed: rolled back; task abcdefghijkl: No such image: x",
    );
  });
});

describe("secrets", () => {
  const using = (name: string, ...secrets: string[]) => {
    const ContainerSpec = { Image: "x", Secrets: secrets.map((SecretName) => ({ SecretName })) };
    return named(name, {}, { TaskTemplate: { ContainerSpec } });
  };
  const sound = () => [
    using("registry", "forge_htpasswd_2", "forge_http-secret_1"),
    using("gateway", "forge_gateway_1", "forge_http-secret_1"),
    using("reader"),
    using("registry-ui"),
  ];
  const report = (kind: SecretReport["kind"], generation: number, state: SecretReport["state"] = "in use") =>
    ({
      name: `forge_${kind}_${generation}`,
      kind,
      generation,
      created: new Date(),
      usedBy: [],
      state,
    }) as SecretReport;
  const reports = () => [
    report("gateway", 1),
    report("htpasswd", 2),
    report("http-secret", 1),
    report("ui", 1),
  ];
  const judge = (services: SwarmService[], found: SecretReport[]) =>
    judgeSecretUse("forge", secretsOf(config), services, found);

  test("nothing is found where each service has its own", () => {
    expect(judge(sound(), reports())).toEqual([]);
  });

  test("a registry without an htpasswd is one without passwords; another that lacks a secret is named", () => {
    const services = [
      using("registry", "forge_http-secret_1"),
      using("gateway", "forge_http-secret_1"),
      using("registry-ui"),
    ];
    const findings = judge(services, reports());
    expect(ids(findings)).toEqual(["error registry-without-passwords", "error secret-missing"]);
    expect(findings[1]?.message).toBe("gateway has no secret gateway");
  });

  test("the admin UI needs its account, the library none", () => {
    expect(secretsOf(config)["registry-ui"]).toEqual([]);
    const ui = { ...config.ui, admin: { ...config.ui.admin, enabled: true } };
    const findings = judgeSecretUse(
      "forge",
      secretsOf({ ...config, ui }),
      [...sound(), using("registry-admin")],
      reports(),
    );
    expect(ids(findings)).toEqual(["error secret-missing"]);
    expect(findings[0]?.message).toBe("registry-admin has no secret ui");
  });

  test("an older generation is left over, and a newer one is a rotation that was interrupted", () => {
    const older = judge(sound(), [report("htpasswd", 1, "orphan"), ...reports()]);
    expect(ids(older)).toEqual(["warning secret-left"]);
    expect(older[0]?.evidence).toContain("forge_htpasswd_1");
    const newer = judge(sound(), [report("htpasswd", 3, "orphan"), ...reports()]);
    expect(ids(newer)).toEqual(["warning secret-older"]);
    expect(newer[0]?.evidence).toBe("it has generation 2, and 3 exists");
  });

  test("a generated password that was never shown is nobody's", () => {
    const facts = {
      name: "forge_htpasswd_2",
      kind: "htpasswd",
      generation: 2,
      created: new Date(0),
      generated: new Map([["ann", 1]]),
      changed: new Map(),
      ends: new Map(),
    } satisfies SecretFacts;
    expect(ids(judgeHandOver(facts, ["ann"]))).toEqual(["error password-never-shown"]);
    expect(judgeHandOver(facts, [])).toEqual([]);
    expect(judgeHandOver(undefined, [])).toEqual([]);
  });

  test("variables that override the authentication are named without their values", () => {
    const Env = ["REGISTRY_LOG_LEVEL=info", "REGISTRY_AUTH_SILLY_REALM=a=b"];
    const registry = named("registry", {}, { TaskTemplate: { ContainerSpec: { Image: "x", Env } } });
    const [finding] = judgeRegistryEnvironment(registry);
    expect(finding?.evidence).toBe("forge_registry has REGISTRY_AUTH_SILLY_REALM");
    expect(judgeRegistryEnvironment(named("registry"))).toEqual([]);
  });
});

describe("storage", () => {
  const room = (size: number, free: number): Disk => ({ size, free, used: size - free });
  const storage = (changes: Partial<Storage>): Storage => ({
    disk: room(1e12, 5e11),
    inodes: room(1e6, 9e5),
    writable: true,
    readOnly: false,
    ...changes,
  });
  const missing =
    'invalid mount config for type "bind": bind source path does not exist: /mnt/storage/registry';
  const rejected = task("rejected", { Status: { State: "rejected", Err: missing } });

  test.each<[string, Storage | undefined, SwarmTask[], string[]]>([
    ["nothing of a sound one", storage({}), [task("running")], []],
    ["nothing where no task runs here", undefined, [task("running")], []],
    ["nothing where the file system counts no inodes", storage({ inodes: undefined }), [], []],
    ["less than a tenth free", storage({ disk: room(1e12, 9.9e10) }), [], ["warning storage-full"]],
    ["less than 5 GB free", storage({ disk: room(3e10, 4.9e9) }), [], ["warning storage-full"]],
    ["less than a twentieth free", storage({ disk: room(1e12, 4.9e10) }), [], ["error storage-full"]],
    ["few inodes", storage({ inodes: room(1000, 99) }), [], ["warning inodes-full"]],
    ["hardly any inode", storage({ inodes: room(1000, 49) }), [], ["error inodes-full"]],
    ["a folder of somebody else", storage({ writable: false }), [], ["error storage-not-writable"]],
    [
      "a file system that is read-only, and not that it is not writable",
      storage({ readOnly: true, writable: false }),
      [],
      ["error storage-read-only"],
    ],
    ["a folder that is gone", undefined, [task("pending"), rejected], ["error storage-missing"]],
    ["nothing of a folder that was gone before", storage({}), [task("running"), rejected], []],
  ])("finds %s", (_name, facts, tasks, expected) => {
    expect(ids(judgeStorage("/mnt/storage/registry", "10001:10001", facts, tasks))).toEqual(expected);
  });

  test("the last mount of the storage counts", () => {
    const line = (options: string) => `/dev/sdb1 /var/lib/registry ext4 ${options} 0 0`;
    expect(isReadOnly(["overlay / overlay ro,relatime 0 0", line("rw,errors=remount-ro")].join("\n"))).toBe(
      false,
    );
    expect(isReadOnly([line("rw"), line("ro,relatime")].join("\n"))).toBe(true);
    expect(isReadOnly("")).toBe(false);
  });

  test("the engine's own folder may be fuller", () => {
    expect(judgeDataRoot("/var/lib/docker", room(1e12, 9e10))).toEqual([]);
    expect(ids(judgeDataRoot("/var/lib/docker", room(1e12, 4e10)))).toEqual(["warning engine-disk-full"]);
    expect(ids(judgeDataRoot("/var/lib/docker", room(1e12, 1e9)))).toEqual(["error engine-disk-full"]);
  });
});

test("the table of versions is old after a year", () => {
  const looked = new Date("2026-11-24");
  expect(judgeVersions(looked, new Date("2027-11-24"))).toEqual([]);
  expect(judgeVersions(looked, new Date("2027-11-25"))[0]).toMatchObject({
    code: "versions-old",
    evidence: "its table of versions is 366 days old",
  });
});

test("clocks may be half a minute apart", () => {
  const here = new Date("2026-01-01T00:00:00Z");
  const at = (seconds: number) => ({ here, there: new Date(here.getTime() + seconds * 1000) });
  expect(judgeEngineClock(at(30))).toEqual([]);
  expect(judgeEngineClock(at(31))[0]?.message).toBe(
    "the clock of the Docker Engine is 31 seconds ahead of this machine's",
  );
  expect(judgeEngineClock(at(-90))[0]?.message).toBe(
    "the clock of the Docker Engine is 90 seconds behind this machine's",
  );
  expect(judgeEngineClock({ here, there: new Date("") })).toEqual([]);
});

test("a registry that was left read-only refuses pushes until its lease ends, and is meant to while it is locked", () => {
  const now = new Date(1_000_000);
  expect(ids(judgeReadOnly(1001, false, now))).toEqual(["error registry-read-only"]);
  expect(ids(judgeReadOnly(999, false, now))).toEqual(["warning registry-read-only"]);
  expect(judgeReadOnly(1001, true, now)).toEqual([]);
  expect(judgeReadOnly(undefined, false, now)).toEqual([]);
});

test("a lock that somebody holds is none that was left", () => {
  const lock = {
    ...{
      id: "l1",
      version: 1,
      isOurs: true,
      holder: "ann@forge (process 7)",
      host: "forge",
      process: undefined,
    },
    ...{ seconds: 75, since: new Date(0), renewed: new Date(0) },
  };
  expect(judgeLock("forge", undefined)).toEqual([]);
  expect(judgeLock("forge", { ...lock, silence: 12, stale: false })).toEqual([]);
  expect(judgeLock("forge", { ...lock, silence: 120, stale: true })[0]?.evidence).toMatch(
    /forge_lock of ann@forge.*last heartbeat 120 s ago/,
  );
});

test("a helper service is left behind when its task has ended, and not while it begins or works", () => {
  const judge = (...tasks: SwarmTask[]) => judgeHelpers([{ service: named("job-collect"), tasks }]);
  expect(judge()).toEqual([]);
  expect(judge(task("preparing"))).toEqual([]);
  expect(judge(task("running"), task("failed"))).toEqual([]);
  expect(ids(judge(task("complete")))).toEqual(["warning helper-left"]);
});

test("of drift only that is told which no other finding tells", () => {
  const change = (fact: string, from?: string, to?: string) => ({ fact, from, to, reach: "tasks" as const });
  const judge = (...changes: ReturnType<typeof change>[]) =>
    judgeDrift("forge", [
      { service: "forge_registry", action: "update", image: "x", reach: "tasks", changes },
    ]);
  expect(judge(change("replicas", "0", "1"), change("environment HEPHAESTUS_READONLY_UNTIL", "9"))).toEqual(
    [],
  );
  const [finding] = judge(
    change("replicas", "2", "1"),
    change("label a", "b"),
    change("port 80/tcp", undefined, "x"),
  );
  expect(finding?.evidence).toBe("replicas is 2 instead of 1; has label a (b); lacks port 80/tcp (x)");
  const many = Array.from({ length: 7 }, (_, index) => change(`label ${index}`, "x"));
  expect(judge(...many)[0]?.evidence).toMatch(/; and 2 more$/);
  const created = {
    service: "forge_ui",
    action: "create",
    image: "x",
    reach: "tasks",
    changes: many,
  } as const;
  expect(judgeDrift("forge", [created])).toEqual([]);
});
