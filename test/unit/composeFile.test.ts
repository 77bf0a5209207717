import { expect, test } from "vitest";
import type { Config } from "../../src/config/resolve.js";
import { composedSpec, readComposeFile, wantedServices } from "../../src/diff/composedService.js";
import { type ComposeFile, FileMode, Interpolated } from "../../src/services/composeModel.js";
import { composeText } from "../../src/services/composeText.js";
import fc from "../support/properties.js";

/** test/e2e/compose.test.ts compares what is read of each golden file with docker's own reading. */

const model = (values: object) => ({ services: { a: values, b: {} } }) as unknown as ComposeFile;

test("a compose file is read as the model that it was rendered from, whatever is in it", () => {
  const text = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.stringMatching(/^[-+]?[\d_box.:e]{1,6}$/),
    fc.constantFrom("yes", "~", "null", "2020-01-01", ".inf", "<<", "=", "$", "$$ and ${X:-y}", " # c"),
  );
  const values = fc.dictionary(fc.stringMatching(/^[a-z$]{1,5}$/), text, { maxKeys: 3 });
  fc.assert(
    fc.property(values, fc.nat(0o777), fc.boolean(), (environment, bits, read_only) => {
      const mounts = [{ mode: new FileMode(bits), size: bits }];
      const written = model({ environment, secrets: mounts, read_only });
      expect(readComposeFile(composeText(written, "header"))).toEqual(written);
    }),
  );
});

test("its services are those under that key", () => {
  const files = [{ path: "docker-compose.yml", text: composeText(model({ image: "x" }), "header") }];
  expect([...wantedServices({ config: { stack: "forge" } as Config, files })]).toEqual([
    "forge_a",
    "forge_b",
  ]);
});

/** What the tasks of a service are made from, with as little else as a service needs. */
function templateOf(service: object, variables: Record<string, string> = {}) {
  const secrets = { htpasswd: { external: true, name: new Interpolated("forge_htpasswd_${GENERATION:-1}") } };
  const whole = {
    networks: [],
    deploy: { resources: { limits: {} }, restart_policy: {}, update_config: {}, rollback_config: {} },
    stop_grace_period: "5s",
    logging: {},
    ...service,
  };
  const compose = { services: { a: whole }, secrets, networks: {}, configs: {} } as unknown as ComposeFile;
  return composedSpec("forge", readComposeFile(composeText(compose, "header")), "a", variables).TaskTemplate;
}

test.each([
  [{}, "forge_htpasswd_1"],
  [{ GENERATION: "" }, "forge_htpasswd_1"],
  [{ GENERATION: "7" }, "forge_htpasswd_7"],
])("with the variables %j a secret is %s", (variables, expected) => {
  const mount = { source: "htpasswd", target: "/x", uid: "1", gid: "2", mode: new FileMode(0o400) };
  const template = templateOf({ secrets: [mount] }, variables);
  const File = { Name: "/x", UID: "1", GID: "2", Mode: 0o400 };
  expect(template).toMatchObject({ ContainerSpec: { Secrets: [{ File, SecretName: expected }] } });
});

// What docker/cli made of them.
test.each([
  ["64m", 67_108_864],
  ["300M", 314_572_800],
  ["512mb", 536_870_912],
  ["1GB", 1_073_741_824],
  ["536870912", 536_870_912],
])("a limit of memory of %s is %d bytes", (memory, MemoryBytes) => {
  const limits = { cpus: "0.25", memory, pids: 5 };
  const deploy = { resources: { limits }, restart_policy: {}, update_config: {}, rollback_config: {} };
  const Limits = { NanoCPUs: 250_000_000, MemoryBytes, Pids: 5 };
  expect(templateOf({ deploy })).toMatchObject({ Resources: { Limits } });
});

test("durations of a health check become nanoseconds, under the engine's names", () => {
  const healthcheck = { test: ["CMD", "true"], interval: "1m30s", start_period: "500ms", retries: 3 };
  const Healthcheck = { Test: ["CMD", "true"], Interval: 90e9, StartPeriod: 5e8, Retries: 3 };
  expect(templateOf({ healthcheck })).toMatchObject({ ContainerSpec: { Healthcheck } });
});
