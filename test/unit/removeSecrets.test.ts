import { expect, test } from "vitest";
import { Secret } from "../../src/credentials/secret.js";
import type { Generations } from "../../src/credentials/secretKinds.js";
import { wasHandedOver } from "../../src/secrets/handover.js";
import { discardSecrets, removeOldSecrets, removeSecret } from "../../src/secrets/removeSecrets.js";
import { removeBaseline } from "../../src/swarm/baseline.js";
import { unusedConfigs } from "../../src/swarm/leftovers.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { service } from "./swarmObjects.js";

/** Objects of somebody else with names as the stack's own have. */
const FOREIGN_SECRET = "forge_ui_2";
const FOREIGN_CONFIG = "forge_handed-over_9";

/** A Swarm with these secrets and configs, of which a service uses some secrets, and with what a killed deploy has recorded. */
function swarm(
  secrets: readonly string[],
  configs: readonly string[],
  used: readonly string[] = [],
  baseline?: { owner: string; names: string },
) {
  const registry = service();
  registry.Spec.TaskTemplate.ContainerSpec.Secrets = used.map((SecretName) => ({ SecretName }));
  const object = (Name: string, owner = "forge") => ({
    Spec: { Name, Labels: { "hephaestus.stack": owner } },
  });
  const recorded = service();
  recorded.Spec.TaskTemplate.ContainerSpec.Secrets = [{ SecretName: baseline?.names ?? "" }];
  const Data = Buffer.from(JSON.stringify([recorded.Spec])).toString("base64");
  const record = { Spec: { ...object(BASELINE, baseline?.owner).Spec, Data } };
  const engine = new FakeEngine({
    services: [registry],
    secrets: [...secrets.map((name) => object(name)), object(FOREIGN_SECRET, "anvil")],
    configs: [
      ...configs.map((name) => object(name)),
      object(FOREIGN_CONFIG, "anvil"),
      ...(baseline ? [record] : []),
    ],
  });
  const left = () => [...engine.names("secrets"), ...engine.names("configs")];
  return { engine, docker: engine.docker(), left };
}

const BASELINE = "forge_baseline";

const SECRETS = [
  "forge_gateway_1",
  "forge_gateway_2",
  "forge_htpasswd_1",
  "forge_htpasswd_2",
  "forge_htpasswd_3",
  "forge_http-secret_1",
  "forge_mirror-logins_1",
  "forge_mirror-logins_2",
  "forge_s3_1",
  "forge_s3_2",
];
const MARKERS = [
  "forge_handed-over_1",
  "forge_handed-over_2",
  "forge_handed-over_3",
  "my-forge_handed-over_1",
];

async function removed(keep: Generations, used: readonly string[] = []) {
  const { docker, left } = swarm(SECRETS, MARKERS, used);
  return { names: await removeOldSecrets(docker, "forge", keep), left: left() };
}

test("the generations that are kept stay, and those of which nothing is said", async () => {
  const { names, left } = await removed({ users: 2, machines: 2 });
  expect(names).toEqual(["forge_gateway_1", "forge_htpasswd_1", "forge_htpasswd_3"]);
  expect(left.sort()).toEqual(
    [
      ...SECRETS.filter((name) => !names.includes(name)),
      "forge_handed-over_2",
      "my-forge_handed-over_1",
      FOREIGN_SECRET,
      FOREIGN_CONFIG,
    ].sort(),
  );
});

test("the keys of a storage and what the operator gave go if another generation is kept", async () => {
  const { names } = await removed({ users: 3, machines: 2, storage: 2, "mirror-logins": 2 });
  expect(names).toEqual([
    "forge_gateway_1",
    "forge_htpasswd_1",
    "forge_htpasswd_2",
    "forge_mirror-logins_1",
    "forge_s3_1",
  ]);
});

test("what a service uses stays, and is not told as removed", async () => {
  const used = ["forge_htpasswd_1", "forge_gateway_1"];
  const { names, left } = await removed({ users: 3, machines: 2 }, used);
  expect(names).toEqual(["forge_htpasswd_2"]);
  expect(left).toEqual(expect.arrayContaining(used));
});

test("the marker of users goes with them, and stays where a service uses them", async () => {
  const { docker, left } = swarm(SECRETS, MARKERS, ["forge_htpasswd_1"]);
  expect(await removeSecret(docker, "forge", { kind: "htpasswd", generation: 1 })).toBe(false);
  expect(await removeSecret(docker, "forge", { kind: "htpasswd", generation: 2 })).toBe(true);
  expect(left().filter((name) => name.startsWith("forge_handed-over"))).toEqual([
    "forge_handed-over_1",
    "forge_handed-over_3",
    "forge_handed-over_9",
  ]);
});

test("what a run wrote is taken back, but for what a service uses", async () => {
  const { docker, left } = swarm(SECRETS, MARKERS, ["forge_s3_2"]);
  const content = new Secret("anvil");
  const written = (["gateway", "htpasswd", "s3", "mirror-logins"] as const).map(
    (kind) => ({ kind, generation: 2, content }) as const,
  );
  // It could not be written, since somebody else has one of that name.
  await discardSecrets(docker, "forge", [...written, { kind: "ui", generation: 2, content }]);
  const gone = ["forge_gateway_2", "forge_htpasswd_2", "forge_mirror-logins_2", "forge_handed-over_2"];
  const all = [...SECRETS, ...MARKERS, FOREIGN_SECRET, FOREIGN_CONFIG];
  expect(left().sort()).toEqual(all.filter((name) => !gone.includes(name)).sort());
});

test.each([
  ["goes with a secret that it names", { owner: "forge", names: "forge_htpasswd_1" }, false],
  ["stays if all that it names is there", { owner: "forge", names: "forge_htpasswd_3" }, true],
  ["of somebody else stays", { owner: "anvil", names: "forge_htpasswd_1" }, true],
])("what ran before a killed deploy %s", async (_what, baseline, stays) => {
  const { docker, left } = swarm(SECRETS, MARKERS, [], baseline);
  await removeOldSecrets(docker, "forge", { users: 3 });
  expect(left().includes(BASELINE)).toBe(stays);
  await removeBaseline(docker, "forge");
  expect(left().includes(BASELINE)).toBe(baseline.owner !== "forge");
});

test("a marker that cannot be asked for does not mean that a password was never shown", async () => {
  const { engine, docker } = swarm([], MARKERS);
  expect(await wasHandedOver(docker, "forge", 1)).toBe(true);
  expect(await wasHandedOver(docker, "forge", 9)).toBe(false);
  engine.silent = true;
  await expect(wasHandedOver(docker, "forge", 1)).rejects.toThrow("no answer");
});

test("a config that a service uses is no leftover", async () => {
  const names = ["forge_registry_0123456789ab", "forge_registry_ba9876543210"];
  const Labels = { "hephaestus.stack": "forge", "com.docker.stack.namespace": "forge" };
  const docker = new FakeEngine({ configs: names.map((Name) => ({ Spec: { Name, Labels } })) }).docker();
  const registry = service();
  registry.Spec.TaskTemplate.ContainerSpec.Configs = [{ ConfigName: "forge_registry_0123456789ab" }];
  expect(await unusedConfigs(docker, "forge", [registry])).toEqual(["forge_registry_ba9876543210"]);
});
