import { expect, test } from "vitest";
import { judgeNamespace } from "../../src/doctor/serviceChecks.js";
import { isOwnService, type SwarmService, stackServices } from "../../src/swarm/objects.js";
import { ownConfigs, ownNetworks, readForeign } from "../../src/swarm/ownership.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { named } from "./swarmObjects.js";

const overlay = { Id: "net", Scope: "swarm", Driver: "overlay", Options: null };

test.each<[string, SwarmService, boolean]>([
  ["with the stack's label is its own", named("forge_anything", { "hephaestus.stack": "forge" }), true],
  ["with another stack's label is not", named("forge_registry", { "hephaestus.stack": "other" }), false],
  ["with a name of ours alone is not", named("forge_registry", {}), false],
])("a service in the stack's namespace %s", (_name, given, expected) => {
  expect(isOwnService("forge", given)).toBe(expected);
});

test("what is in the stack's namespace is its own by the label, whatever its name", async () => {
  const namespace = { "com.docker.stack.namespace": "forge" };
  const own = { ...namespace, "hephaestus.stack": "forge" };
  const engine = new FakeEngine({
    services: [named("forge_web", namespace), named("forge_registry", own), named("forge_gateway", {})],
    networks: [
      { ...overlay, Name: "forge_internal", Labels: own },
      { ...overlay, Name: "forge_theirs", Labels: namespace },
    ],
    configs: [
      { Spec: { Name: "forge_gateway_0123456789ab", Labels: own } },
      { Spec: { Name: "forge_page", Labels: { ...namespace, "hephaestus.stack": "other" } } },
    ],
    secrets: [{ Spec: { Name: "forge_anything", Labels: namespace } }],
  });
  const docker = engine.docker();
  expect((await stackServices(docker, "forge")).map(({ Spec }) => Spec.Name)).toEqual(["forge_registry"]);
  expect(await ownConfigs(docker, "forge")).toEqual(["forge_gateway_0123456789ab"]);
  expect(await ownNetworks(docker, "forge")).toEqual(["forge_internal"]);
  expect((await readForeign(docker, "forge")).map(({ type, name }) => `${type} ${name}`)).toEqual([
    "service forge_gateway",
    "service forge_web",
    "network forge_theirs",
    "config forge_page",
    "secret forge_anything",
  ]);
});

test("what others have under the stack's name is named with both ways out", () => {
  expect(judgeNamespace("infra", [])).toEqual([]);
  const foreign = Array.from(
    { length: 7 },
    (_, index) => ({ type: "service", name: `infra_${index}` }) as const,
  );
  const [finding] = judgeNamespace("infra", foreign);
  expect(finding).toMatchObject({ code: "namespace-foreign", severity: "error" });
  expect(finding?.message).toMatch(
    /^the stack name infra is in use by something else: service infra_0, .* and 2 more$/,
  );
  expect(finding?.remedy).toContain("hephaestus adopt infra");
  expect(finding?.remedy).toContain("set another name in hephaestus.yaml (stack: …)");
  expect(finding?.remedy).toContain("docker service rm infra_4");
});
