import { describe, expect, test } from "vitest";
import { ConfigError, type Finding, formatFinding } from "../../src/config/configFindings.js";
import { type Environment, loadConfig } from "../../src/config/load.js";
import { storagePlace } from "../../src/config/resolve.js";

const load = (source: string, environment: Environment = {}) =>
  loadConfig(source, "hephaestus.yaml", environment);

/** The findings of a config that is refused, as "line:column path". */
function findings(source: string, environment: Environment = {}): Finding[] {
  try {
    load(source, environment);
  } catch (error) {
    if (error instanceof ConfigError) return [...error.findings];
    throw error;
  }
  throw new Error("the config was accepted");
}

const places = (source: string) =>
  findings(source).map(({ line, column, path }) => `${line}:${column} ${path}`);

describe("a config of two lines", () => {
  const { config, warnings } = load("version: 1\ndomain: example.com\n");

  test("has every default that is documented", () => {
    expect(warnings).toEqual([]);
    expect(config).toMatchObject({
      stack: "hephaestus",
      expose: "traefik",
      registry: {
        image: "registry:2.8.3",
        version: 2,
        host: "registry.example.com",
        pull: "anonymous",
        delete: false,
        storage: { driver: "filesystem" },
        replicas: 1,
        placement: { constraints: ["node.role == manager"] },
        env: {},
      },
      ui: { enabled: true, host: "registry-ui.example.com", access: "public" },
      traefik: { version: 3, network: "aether-net", entrypoint: "websecure", middlewares: [] },
      authelia: { middleware: "authelia@swarm" },
      networks: { internal: "internal", encrypted: false },
      swarm: { endpointMode: "vip" },
      credentials: { username: "admin", bcryptCost: 12 },
    });
    expect(config.traefik.certResolver).toBeUndefined();
    expect(storagePlace(config)).toBe("/mnt/storage/registry");
  });

  test("names Authelia's middleware as the line of Traefik does", () => {
    const { config: old } = load("domain: example.com\ntraefik: { version: 2 }");
    expect(old.authelia.middleware).toBe("authelia@docker");
  });
});

describe("mistakes", () => {
  test("are reported all at once, in the order of the file, each with its place and remedy", () => {
    const source = `version: 1
domian: example.com
registry:
  pull: sometimes
  storage:
    pth: /srv
ui:
  title: "two\\nlines"
traefik:
  version: 4
`;
    expect(places(source)).toEqual([
      "1:1 domain",
      "2:1 domian",
      "4:9 registry.pull",
      "6:5 registry.storage.pth",
      "8:10 ui.title",
      "10:12 traefik.version",
    ]);
    const text = findings(source).map(formatFinding).join("\n");
    expect(text).toContain(
      'hephaestus.yaml:2:1: error: domian: unknown key "domian"\n    Did you mean domain?',
    );
    expect(text).toContain(
      'hephaestus.yaml:6:5: error: registry.storage.pth: unknown key "pth"\n    Did you mean path?',
    );
    expect(text).toContain('"sometimes" is not one of anonymous, authenticated');
  });

  test.each([
    ["a version of the future", "version: 2\ndomain: a.example", "1:10 version", /newer hephaestus/],
    ["a file that is not YAML", "domain: [a", "1:11 ", /Check indentation/],
    ["a key that stands twice", "domain: a.example\ndomain: b.example", "2:1 ", /Check indentation/],
    ["a list in the place of keys", "- domain", "1:1 ", /group of keys/],
    [
      "a key that is near none",
      "domain: a.example\nzzzzzzzzz: 1",
      "2:1 zzzzzzzzz",
      /Known here: version, stack/,
    ],
    [
      "a number as text",
      "domain: a.example\nregistry: { replicas: two }",
      "2:23 registry.replicas",
      /Write a number/,
    ],
    [
      "a number out of range",
      "domain: a.example\ncredentials: { bcryptCost: 4 }",
      "2:28 credentials.bcryptCost",
      /at least 10/,
    ],
    [
      "a storage driver that is none",
      "domain: a.example\nregistry: { storage: { driver: gcs } }",
      "2:32 registry.storage.driver",
      /Write filesystem or s3/,
    ],
    ["a backtick in a host", "domain: a.example\nui: { host: 'a`b' }", "2:13 ui.host", /lower-case letters/],
    [
      "a dollar in a path",
      "domain: a.example\nregistry: { storage: { path: /srv/$X } }",
      "2:30 registry.storage.path",
      /Start with \//,
    ],
    [
      "a path that climbs",
      "domain: a.example\nregistry: { storage: { path: /srv/../etc } }",
      "2:30 registry.storage.path",
      /\.\./,
    ],
    [
      "a secret in the environment",
      "domain: a.example\nregistry: { env: { REGISTRY_HTTP_SECRET: x } }",
      "2:42 registry.env.REGISTRY_HTTP_SECRET",
      /Remove it/,
    ],
    [
      "a machine's user name",
      "domain: a.example\ncredentials: { username: hephaestus-ui }",
      "2:26 credentials.username",
      /reserved/,
    ],
    [
      "a constraint in other words",
      "domain: a.example\nregistry: { placement: { constraints: [manager] } }",
      "2:40 registry.placement.constraints.0",
      /node\.role == manager/,
    ],
    [
      "an image without a line",
      "domain: a.example\nregistry: { image: 'mirror.example/registry:stable' }",
      "2:20 registry.image",
      /registry\.version: 2/,
    ],
    ["an address behind Traefik", "domain: 10.0.0.1", "1:9 domain", /expose: ports/],
    ["equal hosts", "domain: a.example\nui: { host: registry.a.example }", "2:13 ui.host", /own host name/],
    ["equal ports", "domain: a.example\nexpose: ports\nports: { ui: 5000 }", "3:14 ports.ui", /own port/],
    [
      "SSO without Traefik",
      "domain: a.example\nexpose: ports\nui: { access: sso }",
      "3:15 ui.access",
      /expose: traefik/,
    ],
    [
      "equal networks",
      "domain: a.example\nnetworks: { internal: aether-net }",
      "2:23 networks.internal",
      /own name/,
    ],
  ])("such as %s are found where they stand", (_name, source, place, remedy) => {
    expect(places(source)).toContain(place);
    expect(
      findings(source)
        .map((finding) => finding.remedy)
        .join("\n"),
    ).toMatch(remedy);
  });

  test("of rules are found beside mistakes of the schema", () => {
    const source =
      "domain: a.example\nexpose: ports\nports: { registry: 8080, ui: 8080 }\nregistry: { pul: anonymous }";
    expect(places(source)).toEqual(["3:30 ports.ui", "4:13 registry.pul"]);
  });
});

describe("the domain", () => {
  test("comes from the environment where the file says so", () => {
    expect(load("domain: ${DOMAIN_NAME}", { DOMAIN_NAME: "forge.example" }).config.domain).toBe(
      "forge.example",
    );
    expect(load("domain: ${DOMAIN_NAME:-other.example}").config.registry.host).toBe("registry.other.example");
  });

  test("is asked for by the variable's name where that is not set", () => {
    const [finding, ...others] = findings("domain: ${DOMAIN_NAME}");
    expect(finding).toMatchObject({ line: 1, column: 9, path: "domain" });
    expect(finding?.message).toContain("DOMAIN_NAME is not set");
    expect(others).toEqual([]);
  });

  test("is checked after it was looked up", () => {
    expect(findings("domain: ${DOMAIN_NAME}", { DOMAIN_NAME: "a b" })[0]?.message).toContain(
      "not a host name",
    );
  });
});

test("warnings stop nothing", () => {
  const { warnings } = load(
    "domain: a.example\nregistry: { pull: authenticated }\nui: { image: joxit/docker-registry-ui }",
  );
  expect(warnings.map(({ path }) => path)).toEqual(["ui.access", "ui.image"]);
  expect(warnings.every(({ severity }) => severity === "warning")).toBe(true);
});
