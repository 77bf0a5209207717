import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { Secret } from "../../src/credentials/secret.js";
import type { EngineRequest } from "../../src/docker/engineConnection.js";
import type { Docker } from "../../src/docker/run.js";
import { judgeNewestTask, judgeStoredLogins } from "../../src/doctor/userChecks.js";
import type { SwarmService } from "../../src/swarm/objects.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { servicesWithLogins, storeLogin, warnOfStoredLogins } from "../../src/swarm/storedLogins.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { service, task, template } from "./swarmObjects.js";

/** Services that keep a login at this registry. */

const load = (text = "") => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {}).config;
const PRIVATE = "registry: { pull: authenticated }";
const DIGEST = `sha256:${"0".repeat(64)}`;
const named = (Name: string, image: string, UpdatedAt = "2026-01-01T00:00:00Z"): SwarmService =>
  service({ Spec: { ...service().Spec, Name, TaskTemplate: template(image) }, UpdatedAt });
const found = (text: string, ...images: string[]) =>
  servicesWithLogins(
    load(text),
    images.map((image) => named(image, image)),
  ).map(({ Spec }) => Spec.Name);

describe("an image that needs a login", () => {
  const ours = [
    "registry.a.example/app:1",
    `registry.a.example/team/app@${DIGEST}`,
    `registry.a.example/team/app:1@${DIGEST}`,
    "registry.a.example:443/team/app",
    "registry:5000/team/app:1",
  ];
  const others = [
    "registry:2",
    "team/app:1",
    "docker.io/team/app",
    "registry.b.example/team/app",
    "a.example/app",
  ];

  test("is one of this registry, by any of its addresses", () => {
    expect(found(PRIVATE, ...ours, ...others)).toEqual(ours);
    expect(found("", ...ours, ...others)).toEqual([]);
  });

  test("is one that no rule opens", () => {
    const rules =
      "access: [{ repositories: [team/**], pull: [ann] }, { repositories: [lab/**], pull: authenticated }]";
    const images = ["team/app:1", "lab/app", "tools/app"].map((name) => `registry.a.example/${name}`);
    expect(found(rules, ...images)).toEqual(images.slice(0, 2));
    const open = `${PRIVATE}\naccess: [{ repositories: [team/**], pull: anonymous }]`;
    expect(found(open, ...images)).toEqual(images.slice(1));
  });

  test("has the public port, or that of a node", () => {
    const port = `${PRIVATE}\ntraefik: { publicPort: 8443 }`;
    expect(found(port, "registry.a.example:8443/app", "registry.a.example/app")).toEqual([
      "registry.a.example:8443/app",
    ]);
    const ports = `${PRIVATE}\nexpose: ports`;
    const nodes = ["a.example:5000/app", "localhost:5000/app", "127.0.0.1:5000/app"];
    expect(found(ports, ...nodes, "a.example/app", "localhost:5001/app")).toEqual(nodes);
  });
});

describe("doctor", () => {
  const NOW = new Date("2026-03-01T12:00:00Z");
  const facts = (changes: Partial<SecretFacts> = {}) =>
    ({
      generation: 2,
      created: new Date("2026-02-01T00:00:00Z"),
      ends: new Map(),
      changed: new Map(),
      ...changes,
    }) as SecretFacts;
  const image = "registry.a.example/app:1";
  const old = named("shop_web", image);
  const fresh = named("shop_db", image, "2026-02-02T00:00:00Z");
  const judge = (services: SwarmService[], secret: SecretFacts | undefined = facts()) =>
    judgeStoredLogins(services, secret, NOW);

  test("names services that were not updated since the users changed, and what to do with all", () => {
    const [finding, ...others] = judge([old, fresh]);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ code: "login-stored", severity: "warning" });
    expect(finding?.message).toMatch(/^shop_web may keep/);
    expect(finding?.evidence).toMatch(/2026-02-01T.*maybe without a login: shop_db$/);
    expect(finding?.remedy).toMatch(/hephaestus logins refresh --user USER shop_web shop_db$/);
  });

  test("finds nothing where all were updated since, or the users are the first ones", () => {
    expect(judge([fresh])).toEqual([]);
    expect(judge([])).toEqual([]);
    expect(judge([old], facts({ generation: 1 }))).toEqual([]);
    expect(judgeStoredLogins([old], undefined, NOW)).toEqual([]);
  });

  test("goes by the password of the user whose login a service keeps, if that is known", () => {
    const of = (user: string, service: SwarmService): SwarmService => ({
      ...service,
      Spec: { ...service.Spec, Labels: { "hephaestus.login": user } },
    });
    const changed = facts({ changed: new Map([["ci", new Date("2025-12-01T00:00:00Z")]]) });
    expect(judge([of("ci", old)], changed)).toEqual([]);
    const over = facts({ changed: changed.changed, ends: new Map([["ci", "2026-02-15"]]) });
    expect(judge([of("ci", fresh)], over)).toHaveLength(1);
    // A user who is gone, or of whom nothing is noted, counts as changed with the others.
    expect(judge([of("ann", old), of("ci", fresh)], changed)[0]?.remedy).toMatch(/--user ann shop_web$/);
  });

  test("says which tasks were refused their image", () => {
    const rejected = task("rejected", {
      Status: { State: "rejected", Err: "no basic auth credentials" },
    });
    const [finding] = judgeNewestTask(old, [rejected]);
    expect(finding).toMatchObject({ code: "task-without-image", evidence: "no basic auth credentials" });
    expect(judgeNewestTask(old, [task("running"), rejected])).toEqual([]);
    expect(judgeNewestTask(old, [])).toEqual([]);
  });

  test("takes the end of a user for a change", () => {
    const ended = facts({
      generation: 1,
      ends: new Map([
        ["ci", "2026-02-15"],
        ["ann", "2026-12-31"],
      ]),
    });
    expect(judge([old], ended)).toHaveLength(1);
    expect(judge([named("x", image, "2026-02-16T00:00:00Z")], ended)).toEqual([]);
  });
});

describe("a change of users", () => {
  const notes = async (docker: Docker): Promise<string[]> => {
    const told: string[] = [];
    const reporter = { note: (kind: string, text: string) => told.push(`${kind}: ${text}`) };
    await warnOfStoredLogins({ config: load(PRIVATE), docker, reporter } as unknown as Parameters<
      typeof warnOfStoredLogins
    >[0]);
    return told;
  };
  const swarmOf = (services: SwarmService[]) => new FakeEngine({ services });

  test("names the services", async () => {
    expect(await notes(swarmOf([named("other", "registry:2")]).docker())).toEqual([]);
    const [note] = await notes(swarmOf([named("shop_web", "registry.a.example/app:1")]).docker());
    expect(note).toMatch(/^warning: shop_web may keep[\s\S]*--user USER shop_web$/);
  });

  test("is done, also where the services cannot be listed", async () => {
    const engine = swarmOf([]);
    engine.silent = true;
    expect(await notes(engine.docker())).toEqual([
      expect.stringMatching(/^warning: .*could not be listed: no answer$/),
    ]);
  });
});

describe("a login that is stored", () => {
  const LOGIN = { user: "ci", password: new Secret("Right-one-7") };

  /** Stores it, and tells what the engine was asked and what was noted. */
  async function store(services: SwarmService[], answer = 200, tasks = [task("running")]) {
    const asked: EngineRequest[] = [];
    const notes: string[] = [];
    const docker = {
      ask: async (request: EngineRequest) => {
        if (request.path.startsWith("/tasks")) return { status: 200, body: JSON.stringify(tasks) };
        asked.push(request);
        return { status: answer, body: '{"message":"update out of sequence"}' };
      },
    } as unknown as Docker;
    const reporter = { note: (_: string, text: string) => notes.push(text) };
    const session = { config: load(PRIVATE), docker, reporter } as unknown as Parameters<
      typeof storeLogin
    >[0];
    return { stored: await storeLogin(session, services, LOGIN), asked, notes };
  }

  const image = "registry.a.example/app:1";

  test("goes to the engine in a header, for this registry, and nothing of the service changes but its label", async () => {
    const shop = named("shop_web", image);
    const { stored, asked } = await store([shop]);
    expect(stored).toEqual(["shop_web"]);
    expect(asked).toMatchObject([
      {
        method: "POST",
        path: "/services/s1/update?version=1",
        body: { ...shop.Spec, Labels: { "hephaestus.login": "ci" } },
      },
    ]);
    const header = asked[0]?.headers?.["X-Registry-Auth"] ?? "";
    expect(header).toMatch(/^[\w-]+={0,2}$/);
    expect(header.length % 4).toBe(0);
    expect(JSON.parse(Buffer.from(header, "base64url").toString())).toEqual({
      username: "ci",
      password: "Right-one-7",
      serveraddress: "registry.a.example",
    });
  });

  test("reaches the others when the engine refuses one, and starts neither an update that was stopped half-way nor a job", async () => {
    const refused = await store([named("shop_web", image), named("shop_db", image)], 500);
    expect(refused.stored).toEqual([]);
    expect(refused.notes).toEqual([
      expect.stringMatching(/^shop_web keeps the login that it has: .*update out of sequence/),
      expect.stringMatching(/^shop_db keeps/),
    ]);
    for (const State of ["updating", "paused", "rollback_started", "rollback_paused"]) {
      const paused = await store([{ ...named("shop_web", image), UpdateStatus: { State } }]);
      expect([paused.asked, paused.stored]).toEqual([[], []]);
      expect(paused.notes[0]).toContain(`its update is ${State}`);
    }
    const once = named("shop_once", image);
    once.Spec.TaskTemplate.RestartPolicy = { Condition: "on-failure" };
    expect((await store([once])).stored).toEqual(["shop_once"]);
    const ended = await store([once], 200, [task("complete")]);
    expect([ended.asked, ended.stored]).toEqual([[], []]);
    expect(ended.notes[0]).toContain("a task that has ended would start again");
    for (const mode of ["ReplicatedJob", "GlobalJob"]) {
      const shop = named("shop_job", image);
      const job = await store([{ ...shop, Spec: { ...shop.Spec, Mode: { [mode]: {} } } }]);
      expect([job.asked, job.stored]).toEqual([[], []]);
      expect(job.notes[0]).toContain("it is a job, and would run again");
    }
  });
});
