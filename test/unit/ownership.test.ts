import { expect, test } from "vitest";
import { isOwnService, type SwarmService, stackServices } from "../../src/docker/objects.js";
import type { Docker } from "../../src/docker/run.js";
import { judgeNamespace, ownConfigs, ownNetworks } from "../../src/operation/ownership.js";
import { service } from "./swarmObjects.js";

function named(name: string, labels: Record<string, string>): SwarmService {
  const base = service();
  return { ...base, Spec: { ...base.Spec, Name: name, Labels: labels } };
}

test.each<[string, SwarmService, boolean]>([
  ["with the stack's label is its own", named("forge_anything", { "hephaestus.stack": "forge" }), true],
  ["with another stack's label is not", named("forge_registry", { "hephaestus.stack": "other" }), false],
  ["with a name of ours alone is not", named("forge_registry", {}), false],
])("a service in the stack's namespace %s", (_name, given, expected) => {
  expect(isOwnService("forge", given)).toBe(expected);
});

test("services of others in the stack's namespace are left out", async () => {
  const services = [named("forge_web", {}), named("forge_registry", { "hephaestus.stack": "forge" })];
  const docker: Docker = {
    run: async () => "a1 b2",
    attempt: async () => ({ exitCode: 0, stdout: JSON.stringify(services), stderr: "" }),
  };
  expect((await stackServices(docker, "forge")).map(({ Spec }) => Spec.Name)).toEqual(["forge_registry"]);
});

test("a config and a network are the stack's own by the label, whatever their names", async () => {
  const listed = "forge_gateway_0123456789ab forge\nforge_registry_0123456789ab \nforge_page other\n";
  const docker: Docker = {
    run: async () => listed,
    attempt: async () => ({ exitCode: 0, stdout: listed, stderr: "" }),
  };
  expect(await ownConfigs(docker, "forge")).toEqual(["forge_gateway_0123456789ab"]);
  expect(await ownNetworks(docker, "forge")).toEqual(["forge_gateway_0123456789ab"]);
});

test("what others have under the stack's name is named with both ways out", () => {
  expect(judgeNamespace("infra", [])).toEqual([]);
  const foreign = Array.from(
    { length: 7 },
    (_, index) => ({ type: "service", name: `infra_${index}` }) as const,
  );
  const [finding] = judgeNamespace("infra", foreign);
  expect(finding).toMatchObject({ id: "namespace-foreign", severity: "error" });
  expect(finding?.message).toMatch(
    /^the stack name infra is in use by something else: service infra_0, .* and 2 more$/,
  );
  expect(finding?.remedy).toContain("Set another name in hephaestus.yaml (stack: …)");
  expect(finding?.remedy).toContain("docker service rm infra_4");
});
