import { expect, test } from "vitest";
import { Secret } from "../../src/credentials/secret.js";
import type { Generations } from "../../src/credentials/secretKinds.js";
import type { CommandResult, Docker } from "../../src/docker/run.js";
import { removeBaseline } from "../../src/operation/baseline.js";
import { unusedConfigs } from "../../src/operation/leftovers.js";
import { wasHandedOver } from "../../src/secrets/handover.js";
import { discardSecrets, removeOldSecrets, removeSecret } from "../../src/secrets/removeSecrets.js";
import { service } from "./swarmObjects.js";

const done = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });

/** Objects of somebody else with names as the stack's own have. */
const FOREIGN = ["forge_ui_2", "forge_handed-over_9"];

/** A Swarm with these secrets and configs, of which some secrets are in use, and with what a killed deploy has recorded. */
function swarm(
  secrets: readonly string[],
  configs: readonly string[],
  used: readonly string[] = [],
  baseline?: { owner: string; names: string },
) {
  const left = new Set([...secrets, ...configs, ...FOREIGN, ...(baseline ? [BASELINE] : [])]);
  const answer = (args: readonly string[]): CommandResult => {
    const [type = "", verb = "", name = ""] = args;
    if (verb === "ls" && type === "secret") return done(secrets.join("\n"));
    if (verb === "ls" && type === "config") {
      const isOwn = args.includes("label=hephaestus.stack=forge");
      const own = [...configs, ...(baseline?.owner === "forge" ? [BASELINE] : [])];
      return done([...left].filter((one) => !isOwn || own.includes(one)).join("\n"));
    }
    if (verb === "inspect" && name === BASELINE && baseline && left.has(BASELINE)) {
      const spec = {
        Name: "forge_registry",
        TaskTemplate: { ContainerSpec: { Secrets: [{ SecretName: baseline.names }] } },
      };
      const Data = Buffer.from(JSON.stringify([spec])).toString("base64");
      return done(JSON.stringify([{ Spec: { Labels: { "hephaestus.stack": baseline.owner }, Data } }]));
    }
    if (type === "service") return { exitCode: 1, stdout: "", stderr: `no such service: ${name}` };
    if (verb !== "rm") return done("[]");
    if (used.includes(name)) return { exitCode: 1, stdout: "", stderr: "is in use by the following service" };
    left.delete(name);
    return done();
  };
  const docker: Docker = { attempt: async (args) => answer(args), run: async (args) => answer(args).stdout };
  return { docker, left: () => [...left] };
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
  expect(left).toEqual([
    ...SECRETS.filter((name) => !names.includes(name)),
    "forge_handed-over_2",
    "my-forge_handed-over_1",
    ...FOREIGN,
  ]);
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
  await discardSecrets(docker, "forge", [{ kind: "ui", generation: 2, content }, ...written]);
  const gone = ["forge_gateway_2", "forge_htpasswd_2", "forge_mirror-logins_2", "forge_handed-over_2"];
  expect(left()).toEqual([...SECRETS, ...MARKERS, ...FOREIGN].filter((name) => !gone.includes(name)));
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
  const { docker } = swarm([], MARKERS);
  expect(await wasHandedOver(docker, "forge", 1)).toBe(true);
  expect(await wasHandedOver(docker, "forge", 9)).toBe(false);
  const run = async () => Promise.reject(new Error("no answer"));
  await expect(wasHandedOver({ ...docker, run }, "forge", 1)).rejects.toThrow("no answer");
});

test("a config that a service uses is no leftover", async () => {
  const names = ["forge_registry_0123456789ab", "forge_registry_ba9876543210"];
  const docker: Docker = {
    run: async () => names.map((name) => `${name} forge`).join("\n"),
    attempt: async () => done("[]"),
  };
  const registry = service();
  registry.Spec.TaskTemplate.ContainerSpec.Configs = [{ ConfigName: "forge_registry_0123456789ab" }];
  expect(await unusedConfigs(docker, "forge", [registry])).toEqual(["forge_registry_ba9876543210"]);
});
