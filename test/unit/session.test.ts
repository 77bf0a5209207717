import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { openSession } from "../../src/commands/session.js";
import { loadConfig } from "../../src/config/load.js";
import { areUnchanged, readStackSecrets } from "../../src/secrets/generations.js";
import { OPERATOR_SECRETS } from "../../src/secrets/operatorSecrets.js";
import { pruneSecrets } from "../../src/secrets/secretsReport.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { named } from "./swarmObjects.js";

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
  const { config, environment } = await openSession(flags);
  const { storage, ...others } = OPERATOR_SECRETS;
  expect(() => others["mirror-logins"].given(environment, [])).toThrow("REGISTRY_MIRROR_LOGINS is no JSON");
  expect(() => others["notification-headers"].given(environment, [])).toThrow(
    "REGISTRY_NOTIFICATION_HEADERS",
  );
  expect(() => storage.given(environment, storage.kinds(config))).toThrow(
    "REGISTRY_S3_SECRET_ACCESS_KEY is not set",
  );
});

/** A Swarm with secrets, of which one service uses some. */
function fakeDocker(secrets: readonly string[], used: readonly string[]) {
  const gateway = named("forge_gateway", {
    "hephaestus.stack": "forge",
    "com.docker.stack.namespace": "forge",
  });
  gateway.Spec.TaskTemplate.ContainerSpec.Secrets = used.map((SecretName) => ({ SecretName }));
  const Labels = { "hephaestus.stack": "forge" };
  const engine = new FakeEngine({
    services: [gateway],
    secrets: secrets.map((Name) => ({ Spec: { Name, Labels } })),
  });
  return { docker: engine.docker(), left: () => engine.names("secrets") };
}

test.each([
  ["of an old generation", ["htpasswd_1", "gateway_2", "ui_2", "mirror_2"]],
  ["of the one in use, before the first deploy with a mirror", ["htpasswd_1", "gateway_1", "ui_1"]],
])("secrets prune works where the secret of the mirror is missing: %s", async (_what, used) => {
  const names = (kinds: readonly string[]) => kinds.map((kind) => `forge_${kind}`);
  const old = names(["gateway_1", "ui_1"]);
  const { docker, left } = fakeDocker([...new Set([...names(used), ...old])], names(used));
  const { config } = loadConfig(`domain: example.com\nstack: forge\n${MIRROR}`, "hephaestus.yaml", {});
  const found = await readStackSecrets(docker, "forge");
  expect(await areUnchanged(docker, found)).toBe(true);
  const removed = await pruneSecrets({ docker, config }, found);
  expect(removed.sort()).toEqual(used.includes("gateway_1") ? [] : old);
  expect(left()).toEqual(names(used).sort());
  if (removed.length > 0) expect(await areUnchanged(docker, found)).toBe(false);
});
