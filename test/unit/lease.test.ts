import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { readOnlyUntil, whileReadOnly } from "../../src/maintenance/lease.js";
import type { Session } from "../../src/session.js";
import type { SwarmService, SwarmTask } from "../../src/swarm/objects.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { shortPauses } from "../support/shortPauses.js";
import { silentReporter } from "../support/silentReporter.js";
import { named, task } from "./swarmObjects.js";

shortPauses();

test("the registry refuses writes while the work goes on, and has its spec from before afterwards", async () => {
  const registry = named("forge_registry", {
    "hephaestus.stack": "forge",
    "com.docker.stack.namespace": "forge",
  });
  registry.Spec.TaskTemplate.ContainerSpec.Env = ["A=1", "B=2"];
  const before = structuredClone(registry.Spec);
  const engine = new FakeEngine({ services: [registry] });
  const now = () => engine.objects.services[0] as unknown as SwarmService;
  let readOnly: SwarmService["Spec"]["TaskTemplate"] | undefined;
  let looks = 0;
  const docker = engine.docker((call) => {
    const Spec = now().Spec.TaskTemplate;
    const running = (changes: Partial<SwarmTask>) => task("running", { ServiceID: registry.ID, ...changes });
    engine.objects.tasks = [{ ...running({ Spec }) }];
    if (readOnlyUntil([now()], "forge") !== undefined) readOnly = Spec;
    // The task that refuses writes still answers, though its service has converged.
    else if (readOnly && looks < 5)
      engine.objects.tasks.push({ ...running({ ID: "t0", Spec: readOnly, DesiredState: "shutdown" }) });
    if (readOnly && readOnly !== Spec && call === "GET /tasks") looks++;
  });
  const { config } = loadConfig("domain: example.com\nstack: forge", "a config", {});
  const session = { config, docker, cleanupDocker: docker, reporter: silentReporter } as unknown as Session;
  const work = async () => {
    expect(now().Spec.TaskTemplate.ContainerSpec.Env?.slice(0, 2)).toEqual(["A=1", "B=2"]);
    return readOnlyUntil([now()], "forge");
  };
  expect(await whileReadOnly(session, { until: 4e9, drainSeconds: 1 }, work)).toBe(4e9);
  expect(now().Spec).toEqual(before);
  expect(engine.objects.tasks).toHaveLength(1);
  const updates = engine.requests.filter((asked) => asked.includes("/update"));
  // The login for its image stays.
  expect(updates.map((asked) => asked.replace(/version=\d+/, ""))).toEqual(
    Array(2).fill("POST /services/forge_registry/update?&registryAuthFrom=spec"),
  );
});
