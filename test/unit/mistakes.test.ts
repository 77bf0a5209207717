import { describe, expect, test } from "vitest";
import { ConfigError, type Finding, formatFinding } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { ExitCode } from "../../src/errors.js";
import fc from "../support/properties.js";

function findings(source: string): Finding[] {
  try {
    loadConfig(source, "hephaestus.yaml", {});
  } catch (error) {
    if (error instanceof ConfigError) return [...error.findings];
    throw error;
  }
  return [];
}

const warnings = (source: string) => loadConfig(source, "hephaestus.yaml", {}).warnings;

describe("a file that YAML itself cannot make sense of", () => {
  test.each([
    ["an alias to nothing", "domain: *somewhere"],
    ["a list in itself", "domain: &a [*a]"],
    ["a file in itself", "&a [*a]"],
    ["a group in itself", "domain: a.example\nui: &a { title: *a }"],
    ["a merge of what cannot be merged", "%YAML 1.1\n---\n<<: [1]\ndomain: a.example"],
    [
      "aliases that multiply",
      `a: &a [${"x,".repeat(20)}]\nb: &b [${"*a,".repeat(20)}]\nc: &c [${"*b,".repeat(20)}]\nd: [${"*c,".repeat(20)}]`,
    ],
    ["two documents", "domain: a.example\n---\ndomain: b.example"],
    ["a tab in the place of spaces", "registry:\n\tpull: anonymous"],
  ])("such as %s is a person's mistake", (_name, source) => {
    const [first] = findings(source);
    expect(first).toMatchObject({ severity: "error", file: "hephaestus.yaml" });
    expect(first?.message).toMatch(/^not valid YAML: /);
  });

  test("may use anchors that make sense", () => {
    const source = `domain: a.example
registry: { resources: &small { limits: { cpus: 0.5, memory: 64M } } }
gateway: { resources: *small }`;
    expect(loadConfig(source, "f", {}).config.gateway.resources.limits).toEqual({ cpus: 0.5, memory: "64M" });
  });
});

describe("a value that Docker, Traefik or Swarm would refuse later", () => {
  test.each([
    ["registry.resources.limits.cpus", "{ resources: { limits: { cpus: 0.33333333333 } } }", /0\.25 or 1\.5/],
    ["registry.resources.limits.cpus", "{ resources: { limits: { cpus: 0.0000001 } } }", /at least 0\.001/],
    ["registry.resources.limits.memory", "{ resources: { limits: { memory: 3M } } }", /4M at least/],
    ["registry.resources.limits.memory", "{ resources: { limits: { memory: 1b } } }", /4M at least/],
    ["registry.resources.limits.memory", "{ resources: { limits: { memory: 99999999G } } }", /512M or 1G/],
    ["registry.host", "{ host: 10.0.0.1 }", /expose: ports/],
    ["registry.storage.path", '{ storage: { path: "/srv/a\\u2028b" } }', /control characters/],
    ["registry.env.MOTTO", '{ env: { MOTTO: "a\\u2028b" } }', /line breaks/],
    ["registry.env.MOTTO", '{ env: { MOTTO: "\\uD800" } }', /line breaks/],
    ["registry.env.MOTTO", '{ env: { MOTTO: "\\uFFFE" } }', /line breaks/],
    ["registry.env.MOTTO", "{ env: { MOTTO: 5 } }", /in quotes: "5"/],
    ["registry.env.REGISTRY_AUTH", "{ env: { REGISTRY_AUTH: silly } }", /Remove it/],
    ["registry.image", "{ image: 'Registry:2' }", /docker pull/],
    ["registry.user", "{ user: root }", /UID:GID/],
  ])("is found at %s: %s", (path, registry, remedy) => {
    const found = findings(`domain: a.example\nregistry: ${registry}`);
    expect(found.map((finding) => finding.path)).toEqual([path]);
    expect(found[0]?.line).toBe(2);
    expect(found[0]?.remedy).toMatch(remedy);
  });

  test.each([
    ["traefik: { entrypoint: web@file }", "traefik.entrypoint"],
    ["traefik: { certResolver: le@file }", "traefik.certResolver"],
    ["traefik: { middlewares: ['a,b@file'] }", "traefik.middlewares.0"],
    ["traefik: { trustedNetworks: [10.0.0.0] }", "traefik.trustedNetworks.0"],
    ["ui: { host: 192.168.1.2 }", "ui.host"],
    ["ui: { title: '<b>' }", "ui.title"],
    ["authelia: { middleware: authelia }", "authelia.middleware"],
    ["authelia: { middleware: 'http://a b' }", "authelia.middleware"],
    ["stack: Forge", "stack"],
  ])("is found in %s", (line, path) => {
    expect(findings(`domain: a.example\n${line}`).map((finding) => finding.path)).toEqual([path]);
  });

  test("is found in a domain that leaves no room for the registry's own name", () => {
    const label = "a".repeat(60);
    const domain = (last: number) => `${label}.${label}.${label}.${"b".repeat(last)}`;
    expect(findings(`domain: ${domain(58)}`)).toEqual([]);
    expect(findings(`domain: ${domain(59)}`).map(({ path }) => path)).toEqual(["domain"]);
  });
});

test("five mistakes are five findings in the order of the file, each with line, column and remedy", () => {
  const source = `version: 1
domain: https://example.com
registry:
  pul: anonymous
  replicas: 0
ui:
  access: pubic
traefik:
  network: "aether net"
`;
  const found = findings(source);
  expect(found.map(({ line, column, path }) => `${line}:${column} ${path}`)).toEqual([
    "2:9 domain",
    "4:3 registry.pul",
    "5:13 registry.replicas",
    "7:11 ui.access",
    "9:12 traefik.network",
  ]);
  expect(found.every(({ remedy }) => remedy.length > 10)).toBe(true);
  expect(formatFinding(found[3] as Finding)).toBe(
    'hephaestus.yaml:7:11: error: ui.access: "pubic" is not one of public, sso\n    Did you mean public?',
  );
  expect(new ConfigError(found)).toMatchObject({
    message: "5 mistakes in the config",
    exitCode: ExitCode.config,
  });
});

describe("what is not supported is told with what is", () => {
  test.each([
    [
      "registry: { storage: { driver: gcs } }",
      "registry.storage.driver",
      /"gcs" is not one of filesystem, s3/,
      /^Write filesystem or s3\.$/,
    ],
    [
      "registry: { storage: { bucket: images } }",
      "registry.storage.bucket",
      /is a key of another driver/,
      /^Set driver: s3, or remove it\.$/,
    ],
    [
      "registry: { image: 'registry:3.1.2', storage: { driver: s3, bucket: images, shared: true } }",
      "registry.storage.shared",
      /is a key of another driver/,
      /^Set driver: filesystem, or remove it\.$/,
    ],
    [
      "registry: { env: { REGISTRY_PROXY_REMOTEURL: 'https://a.example' } }",
      "registry.env.REGISTRY_PROXY_REMOTEURL",
      /is not a setting/,
      /has a key for it/,
    ],
  ])("%s", (line, path, message, remedy) => {
    const [found, ...others] = findings(`domain: a.example\n${line}`);
    expect(others).toEqual([]);
    expect([found?.path, found?.message, found?.remedy]).toEqual([
      path,
      expect.stringMatching(message),
      expect.stringMatching(remedy),
    ]);
  });
});

test.each([
  ["http://authelia:9091/", "http://authelia:9091"],
  ["https://sso.a.example/login/", "https://sso.a.example/login"],
])("an address of Authelia may end with a slash: %s", (written, read) => {
  const { config } = loadConfig(`domain: a.example\nauthelia: { url: '${written}' }`, "f", {});
  expect(config.authelia.url).toBe(read);
  // The rules compare it with the default.
  expect(
    findings(
      "domain: a.example\nexpose: ports\nusers: { provider: both }\nauthelia: { url: 'http://authelia:9091/' }",
    ),
  ).toHaveLength(1);
});

describe("a key that nobody knows", () => {
  test.each([
    ["domian: x", "domian", "domain"],
    ["regsitry: {}", "regsitry", "registry"],
    ["registry: { placment: {} }", "registry.placment", "placement"],
    ["registry: { placement: { constraint: [] } }", "registry.placement.constraint", "constraints"],
    ["registry: { storage: { paht: /srv } }", "registry.storage.paht", "path"],
    ["registry: { resources: { limits: { cpu: 1 } } }", "registry.resources.limits.cpu", "cpus"],
    ["traefik: { certresolver: le }", "traefik.certresolver", "certResolver"],
    ["swarm: { endpoint_mode: vip }", "swarm.endpoint_mode", "endpointMode"],
  ])("in %s is told the nearest one", (line, path, nearest) => {
    const finding = findings(`domain: a.example\n${line}`).find((one) => one.path === path);
    expect(finding?.remedy).toBe(`Did you mean ${nearest}?`);
  });
});

test("exactly the bad entries of lists are found, whatever else is wrong", () => {
  const entry = fc.constantFrom("good", "b a d", 1, null);
  const list = fc.array(entry, { maxLength: 7 });
  const bad = (entries: readonly unknown[], path: string) =>
    entries.flatMap((value, index) => (value === "good" ? [] : [`${path}.${index}`]));
  fc.assert(
    fc.property(list, list, fc.boolean(), (middlewares, constraints, titel) => {
      const written = {
        domain: "a.example",
        ...(titel ? { ui: { titel: 1 } } : {}),
        registry: {
          placement: {
            constraints: constraints.map((one) => (one === "good" ? "node.role == manager" : one)),
          },
        },
        traefik: { middlewares },
      };
      expect(new Set(findings(JSON.stringify(written)).map(({ path }) => path))).toEqual(
        new Set([
          ...(titel ? ["ui.titel"] : []),
          ...bad(constraints, "registry.placement.constraints"),
          ...bad(middlewares, "traefik.middlewares"),
        ]),
      );
    }),
    { numRuns: 2000 },
  );
});

test("every image that is not pinned is warned of, and nothing is stopped by it", () => {
  const source = `domain: a.example
registry: { image: registry, version: 2 }
gateway: { image: "nginx:latest" }
ui: { image: "mirror.example:5000/ui" }`;
  expect(warnings(source).map(({ path, severity, line }) => `${line} ${severity} ${path}`)).toEqual([
    "2 warning registry.image",
    "3 warning gateway.image",
    "4 warning ui.image",
  ]);
  expect(warnings(`domain: a.example\nui: { image: "ui@sha256:${"a".repeat(64)}" }`)).toEqual([]);
});
