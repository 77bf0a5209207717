import { createHash } from "node:crypto";
import { describe, expect, test } from "vitest";
import { isOwnService, type SwarmService, stackServices } from "../../src/docker/objects.js";
import type { Docker } from "../../src/docker/run.js";
import { judgeNamespace, ownConfigs } from "../../src/operation/ownership.js";
import { service } from "./swarmObjects.js";

const DIGEST = "0123456789ab";

function named(
  name: string,
  labels: Record<string, string>,
  { configs = [], secrets = [] }: { configs?: string[]; secrets?: string[] } = {},
): SwarmService {
  const base = service();
  const ContainerSpec = {
    Image: "x",
    Configs: configs.map((ConfigName) => ({ ConfigName })),
    Secrets: secrets.map((SecretName) => ({ SecretName })),
  };
  return {
    ...base,
    Spec: { ...base.Spec, Name: name, Labels: labels, TaskTemplate: { ContainerSpec } },
  };
}

const registry = {
  configs: [`forge_registry_${DIGEST}`],
  secrets: ["forge_http-secret_1", "forge_htpasswd_3"],
};

describe("a service in the stack's namespace", () => {
  test.each<[string, SwarmService, boolean]>([
    ["with the stack's label is its own", named("forge_anything", { "hephaestus.stack": "forge" }), true],
    [
      "with another stack's label is not",
      named("forge_registry", { "hephaestus.stack": "other" }, registry),
      false,
    ],
    ["of a version before the label is its own", named("forge_registry", {}, registry), true],
    [
      "of a version before the label is its own, like the reader, which has no secret",
      named("forge_reader", {}, { configs: [`forge_reader_${DIGEST}`] }),
      true,
    ],
    ["with a name of ours alone is not", named("forge_registry", {}), false],
    ["with another name is not", named("forge_web", {}, registry), false],
    [
      "with a config of another name is not",
      named("forge_registry", {}, { ...registry, configs: ["forge_registry_conf"] }),
      false,
    ],
    ["without a config is not", named("forge_registry", {}, { ...registry, configs: [] }), false],
    ...["forge_registry_0123456789", "forge_registry_0123456789zz", `forgf_registry_${DIGEST}`].map(
      (config): [string, SwarmService, boolean] => [
        `with the config ${config} is not`,
        named("forge_registry", {}, { ...registry, configs: [config] }),
        false,
      ],
    ),
    [
      "without a secret of ours is not",
      named("forge_gateway", {}, { configs: [`forge_gateway_${DIGEST}`], secrets: ["forge_key"] }),
      false,
    ],
  ])("%s", (_name, given, expected) => {
    expect(isOwnService("forge", given)).toBe(expected);
  });
});

test("services of others in the stack's namespace are left out", async () => {
  const services = [named("forge_web", {}), named("forge_registry", { "hephaestus.stack": "forge" })];
  const docker: Docker = {
    run: async () => "a1 b2",
    attempt: async () => ({ exitCode: 0, stdout: JSON.stringify(services), stderr: "" }),
  };
  expect((await stackServices(docker, "forge")).map(({ Spec }) => Spec.Name)).toEqual(["forge_registry"]);
});

test("a config without a label is recognised by the digest of its content in its name", async () => {
  const content = "http: {}\n";
  const digest = createHash("sha256").update(content).digest("hex").slice(0, 12);
  const Data = Buffer.from(content).toString("base64");
  const asked: string[][] = [];
  const answer = (args: readonly string[]) => {
    asked.push([...args]);
    return args[1] === "ls"
      ? `forge_gateway_${DIGEST} forge\nforge_registry_${digest} \nforge_reader_${DIGEST} \nforge_page other`
      : JSON.stringify(
          [`forge_registry_${digest}`, `forge_reader_${DIGEST}`].map((Name) => ({ Spec: { Name, Data } })),
        );
  };
  const docker: Docker = {
    run: async (args) => answer(args),
    attempt: async (args) => ({ exitCode: 0, stdout: answer(args), stderr: "" }),
  };
  expect(await ownConfigs(docker, "forge")).toEqual([`forge_gateway_${DIGEST}`, `forge_registry_${digest}`]);
  // What has another form of name is not even looked into.
  expect(asked[1]?.slice(2)).toEqual([`forge_registry_${digest}`, `forge_reader_${DIGEST}`]);
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
