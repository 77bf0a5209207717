import { expect, test } from "vitest";
import type { SecretKind } from "../../src/credentials/secretKinds.js";
import { judgeSecrets, newestGenerations } from "../../src/secrets/secretsReport.js";
import type { SecretFacts } from "../../src/swarm/secrets.js";
import { service } from "./swarmObjects.js";

const secret = (kind: SecretKind, generation: number): SecretFacts => ({
  name: `forge_${kind}_${generation}`,
  kind,
  generation,
  created: new Date("2026-01-01T00:00:00Z"),
  generated: new Map(),
  changed: new Map(),
  ends: new Map(),
});

/** What is said of secrets, where the registry uses some of them, and a deploy would keep users 3 and machines 2. */
function said(secrets: SecretFacts[], used: string[] = []): Record<string, string> {
  const registry = service();
  registry.Spec.TaskTemplate.ContainerSpec.Secrets = used.map((SecretName) => ({ SecretName }));
  const found = { stack: "forge", secrets, used };
  const reports = judgeSecrets(found, [registry], { ...newestGenerations(found), users: 3, machines: 2 });
  return Object.fromEntries(reports.map(({ name, state, usedBy }) => [name, [state, ...usedBy].join(" ")]));
}

test("what the next deploy would keep is no orphan: users and machine accounts have generations of their own", () => {
  const secrets = [secret("htpasswd", 2), secret("htpasswd", 3), secret("gateway", 2), secret("gateway", 3)];
  expect(said([...secrets, secret("http-secret", 1)])).toEqual({
    forge_htpasswd_2: "orphan",
    forge_htpasswd_3: "kept",
    forge_gateway_2: "kept",
    forge_gateway_3: "orphan",
    "forge_http-secret_1": "kept",
  });
});

test("the keys of a storage are one generation, and what the operator gives has generations of its own", () => {
  const secrets = [
    secret("s3", 1),
    secret("s3-reader", 1),
    secret("s3", 2),
    secret("mirror-logins", 4),
    secret("mirror-logins", 10),
    secret("notification-headers", 1),
  ];
  expect(said(secrets)).toEqual({
    forge_s3_1: "orphan",
    "forge_s3-reader_1": "orphan",
    forge_s3_2: "kept",
    "forge_mirror-logins_4": "orphan",
    "forge_mirror-logins_10": "kept",
    "forge_notification-headers_1": "kept",
  });
});

test("a generation that is newer than the one in use is left over: the next deploy keeps that one", () => {
  expect(said([secret("s3", 1), secret("s3", 2)], ["forge_s3_1"])).toEqual({
    forge_s3_1: "in use registry",
    forge_s3_2: "orphan",
  });
});

test("what a service uses is in use, by its whole name", () => {
  expect(said([secret("htpasswd", 1), secret("htpasswd", 10)], ["forge_htpasswd_10"])).toEqual({
    forge_htpasswd_1: "orphan",
    forge_htpasswd_10: "in use registry",
  });
});
