import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openSession } from "../../src/actions/session.js";
import { loadConfig } from "../../src/config/load.js";
import type { Docker } from "../../src/docker/run.js";
import type { SecretFacts } from "../../src/docker/swarmSecrets.js";
import type { DeployContext } from "../../src/operation/context.js";
import { isUnchanged, readGenerationState } from "../../src/users/generations.js";
import { pruneSecrets } from "../../src/users/secretsReport.js";

let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "session-"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true, force: true });
});

const MIRROR = "mirror:\n  - { from: hub.example/app, to: mirror/app, tags: [a] }\n";

test("a command that needs no secret of the environment does not look at it", async () => {
  writeFileSync(
    join(folder, "hephaestus.yaml"),
    `domain: example.com\n${MIRROR}regsync: { logins: true }\nnotifications: [{ name: ci, url: "http://ci.example/", headers: true }]\nregistry: { image: "registry:3.1.2", storage: { driver: s3, bucket: images, region: eu-central-1 } }\n`,
  );
  vi.stubEnv("REGISTRY_MIRROR_LOGINS", "{");
  vi.stubEnv("REGISTRY_NOTIFICATION_HEADERS", "[]");
  vi.stubEnv("REGISTRY_S3_ACCESS_KEY_ID", "id");
  vi.stubEnv("REGISTRY_S3_SECRET_ACCESS_KEY", "");
  vi.stubEnv("REGISTRY_HTPASSWD", "no htpasswd");
  const flags = { config: join(folder, "hephaestus.yaml"), timeout: 1, verify: false };
  const { context } = await openSession(flags);
  expect(() => context.givenSecret("mirror-logins")).toThrow("REGISTRY_MIRROR_LOGINS is not JSON");
  expect(() => context.givenSecret("notification-headers")).toThrow("REGISTRY_NOTIFICATION_HEADERS");
  expect(() => context.storageKeys()).toThrow("REGISTRY_S3_SECRET_ACCESS_KEY is not set");
});

/** A Swarm with secrets, of which one service uses some. */
function fakeDocker(secrets: readonly string[], used: readonly string[]) {
  const left = new Set(secrets);
  const services = [
    {
      ID: "s1",
      Spec: {
        Name: "forge_gateway",
        Labels: { "hephaestus.stack": "forge" },
        TaskTemplate: {
          ContainerSpec: { Image: "nginx", Secrets: used.map((SecretName) => ({ SecretName })) },
        },
      },
    },
  ];
  const answer = (args: readonly string[]): string => {
    const [object, verb, ...names] = args;
    if (object === "secret" && verb === "ls") return [...left].join("\n");
    if (object === "secret" && verb === "inspect")
      return JSON.stringify(names.map((Name) => ({ CreatedAt: "2026-11-30T00:00:00Z", Spec: { Name } })));
    if (object === "secret" && verb === "rm") for (const name of names) left.delete(name);
    if (object === "service" && verb === "ls") return args.includes("--quiet") ? "s1" : "";
    return object === "inspect" ? JSON.stringify(services) : "";
  };
  const docker: Docker = {
    run: async (args) => answer(args),
    attempt: async (args) => ({ exitCode: 0, stdout: answer(args), stderr: "" }),
  };
  return { docker, left };
}

test.each([
  ["of an old generation", ["htpasswd_1", "gateway_2", "ui_2", "mirror_2"]],
  ["of the one in use, before the first deploy with a mirror", ["htpasswd_1", "gateway_1", "ui_1"]],
])("secrets prune works where the secret of the mirror is missing: %s", async (_what, used) => {
  const names = (kinds: readonly string[]) => kinds.map((kind) => `forge_${kind}`);
  const old = names(["gateway_1", "ui_1"]);
  const { docker, left } = fakeDocker([...new Set([...names(used), ...old])], names(used));
  const { config } = loadConfig(`domain: example.com\nstack: forge\n${MIRROR}`, "hephaestus.yaml", {});
  const context = { docker, config, state: undefined } as unknown as DeployContext;
  const secrets = [...left].map((name) => ({ name }) as SecretFacts);
  context.state = await readGenerationState(context, secrets);
  expect(await isUnchanged(context)).toBe(true);
  const removed = await pruneSecrets(context);
  expect(removed.sort()).toEqual(used.includes("gateway_1") ? [] : old);
  expect([...left].sort()).toEqual(names(used).sort());
});
