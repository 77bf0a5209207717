import { expect, test } from "vitest";
import { Secret } from "../../src/credentials/secret.js";
import type { Generations } from "../../src/credentials/secretKinds.js";
import type { CommandResult, Docker } from "../../src/docker/run.js";
import { unusedConfigs } from "../../src/operation/leftovers.js";
import { wasHandedOver } from "../../src/secrets/handover.js";
import { discardSecrets, removeOldSecrets, removeSecret } from "../../src/secrets/removeSecrets.js";
import { service } from "./swarmObjects.js";

const done = (stdout = ""): CommandResult => ({ exitCode: 0, stdout, stderr: "" });

/** A Swarm with these secrets and configs, of which some secrets are in use. */
function swarm(secrets: readonly string[], configs: readonly string[], used: readonly string[] = []) {
  const left = new Set([...secrets, ...configs]);
  const answer = ([type = "", verb = "", name = ""]: readonly string[]): CommandResult => {
    if (verb === "ls" && type === "secret") return done(secrets.join("\n"));
    if (verb === "ls" && type === "config")
      return done([...left].filter((one) => configs.includes(one)).join("\n"));
    if (type === "service") return { exitCode: 1, stdout: "", stderr: `no such service: ${name}` };
    if (verb !== "rm") return done("[]");
    if (used.includes(name)) return { exitCode: 1, stdout: "", stderr: "is in use by the following service" };
    left.delete(name);
    return done();
  };
  const docker: Docker = { attempt: async (args) => answer(args), run: async (args) => answer(args).stdout };
  return { docker, left: () => [...left] };
}

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
  ]);
});

test("what a run wrote is taken back, but for what a service uses", async () => {
  const { docker, left } = swarm(SECRETS, MARKERS, ["forge_s3_2"]);
  const content = new Secret("anvil");
  const written = (["gateway", "htpasswd", "s3", "mirror-logins"] as const).map(
    (kind) => ({ kind, generation: 2, content }) as const,
  );
  await discardSecrets(docker, "forge", written);
  const gone = ["forge_gateway_2", "forge_htpasswd_2", "forge_mirror-logins_2", "forge_handed-over_2"];
  expect(left()).toEqual([...SECRETS, ...MARKERS].filter((name) => !gone.includes(name)));
});

test("a marker that cannot be asked for does not mean that a password was never shown", async () => {
  const answers = (stderr: string): Docker => {
    const attempt = async () => ({ exitCode: 1, stdout: "", stderr });
    return { attempt, run: async () => "" };
  };
  expect(await wasHandedOver(answers("Error: No such config: forge_handed-over_1"), "forge", 1)).toBe(false);
  await expect(wasHandedOver(answers("no answer"), "forge", 1)).rejects.toThrow("no answer");
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
