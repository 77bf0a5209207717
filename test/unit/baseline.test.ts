import { describe, expect, test } from "vitest";
import { readBaseline, removeBaseline, restoreBaseline, writeBaseline } from "../../src/swarm/baseline.js";
import type { ServiceSpec, SwarmService } from "../../src/swarm/objects.js";
import { FakeEngine, refused } from "../support/fakeEngine.js";
import { shortPauses } from "../support/shortPauses.js";
import { template } from "./swarmObjects.js";

shortPauses();

const spec = (name: string, image: string): ServiceSpec => ({
  Name: `forge_${name}`,
  Labels: { "hephaestus.stack": "forge", "com.docker.stack.namespace": "forge" },
  TaskTemplate: template(image),
  Mode: { Replicated: { Replicas: 1 } },
});

/** An engine with services, the docker of it, and what it was asked. */
function fakeEngine(services: SwarmService[]) {
  const engine = new FakeEngine({ services });
  const specs = () => (engine.objects.services as unknown as SwarmService[]).map(({ Spec }) => Spec);
  return {
    engine,
    docker: engine.docker(),
    specs: () => specs().sort((x, y) => (x.Name < y.Name ? -1 : 1)),
  };
}

const before = [spec("gateway", "nginx:1"), spec("reader", "registry:1"), spec("registry", "registry:1")];
const stored = (ID: string, Spec: ServiceSpec, PreviousSpec?: ServiceSpec): SwarmService => ({
  ID,
  Version: { Index: 7 },
  Spec,
  ...(PreviousSpec ? { PreviousSpec } : {}),
});

describe("going back", () => {
  test("gives each service its spec from before, whatever the engine has as the previous one", async () => {
    const [gateway, , registry] = before as [ServiceSpec, ServiceSpec, ServiceSpec];
    const broken = spec("registry", "registry:broken");
    const { engine, docker, specs } = fakeEngine([
      // A second attempt made the broken spec the previous one.
      stored("r1", { ...broken, Mode: { Replicated: { Replicas: 2 } } }, broken),
      stored("g1", { ...gateway, Labels: { ...gateway.Labels, more: "yes" } }, gateway),
      stored("u1", spec("registry-ui", "ui:1")),
    ]);
    expect(await restoreBaseline(docker, "forge", before)).toEqual([]);
    expect(specs()).toEqual(before);
    expect(engine.requests).toEqual([
      "GET /services",
      "POST /services/g1/update?version=7&rollback=previous",
      "POST /services/r1/update?version=7",
      "DELETE /services/forge_registry-ui",
      "POST /services/create",
      "GET /services",
    ]);
    expect(registry.Mode).toEqual({ Replicated: { Replicas: 1 } });
  });

  test("does nothing where the engine went back by itself, and touches no service of others", async () => {
    const foreign = { ...spec("web", "x"), Labels: { "com.docker.stack.namespace": "forge" } };
    const { engine, docker } = fakeEngine([
      ...before.map((one, index) => stored(`s${index}`, one)),
      stored("w1", foreign),
    ]);
    expect(await restoreBaseline(docker, "forge", before)).toEqual([]);
    expect(engine.requests).toEqual(["GET /services"]);
  });

  test("looks again where the engine changed the service at the same time", async () => {
    let refusals = 1;
    const { engine, docker, specs } = fakeEngine([stored("r1", spec("registry", "broken"))]);
    engine.trouble = (asked) =>
      asked.includes("/update") && refusals-- > 0 ? refused(500, "update out of sequence") : undefined;
    expect(await restoreBaseline(docker, "forge", before.slice(2))).toEqual([]);
    expect(specs()).toEqual(before.slice(2));
  });

  test("says in the engine's words what it refuses", async () => {
    const { engine, docker } = fakeEngine([stored("r1", spec("registry", "broken"))]);
    engine.trouble = (asked) =>
      asked.includes("/update") ? refused(500, "secret forge_htpasswd_1 not found") : undefined;
    expect(await restoreBaseline(docker, "forge", before.slice(2))).toEqual([
      "forge_registry: secret forge_htpasswd_1 not found",
    ]);
  });
});

test("what is written comes back whole, also a field that nothing here reads, and only once", async () => {
  const engine = new FakeEngine();
  const docker = engine.docker();
  expect(await readBaseline(docker, "forge")).toBeUndefined();
  const specs = [{ ...spec("gateway", "nginx:1"), UpdateConfig: { Parallelism: 1 } }];
  for (const baseline of [before, specs]) {
    await writeBaseline(docker, "forge", baseline);
    expect(await readBaseline(docker, "forge")).toEqual(baseline);
  }
  expect(engine.names("configs")).toEqual(["forge_baseline"]);
  expect(await readBaseline(docker, "other")).toBeUndefined();
  await removeBaseline(docker, "forge");
  expect(engine.names("configs")).toEqual([]);
});
