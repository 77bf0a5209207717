import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { initialConfig, trialConfig } from "../../src/config/initialConfig.js";
import { loadConfig } from "../../src/config/load.js";
import { jsonSchema } from "../../src/config/schema/index.js";

interface Node {
  type?: string;
  description?: string;
  default?: unknown;
  derived?: string;
  properties?: Record<string, Node>;
  oneOf?: Node[];
}

const schema = jsonSchema();
const ajv = new Ajv2020({ allErrors: true, strict: false });
const accepts = ajv.compile(schema);

/** Every key with its part of the schema, groups of keys included. */
function keysOf(node: Node, path = ""): Array<[string, Node]> {
  const groups = [node, ...(node.oneOf ?? [])];
  return groups.flatMap(({ properties = {} }) =>
    Object.entries(properties).flatMap(([key, inner]): Array<[string, Node]> => {
      const here = path === "" ? key : `${path}.${key}`;
      return [[here, inner], ...keysOf(inner, here)];
    }),
  );
}

const keys = keysOf(schema as Node);
const isGroup = ({ properties, oneOf }: Node) => properties !== undefined || oneOf !== undefined;

/** Keys that may be left out without having a value then. */
const WITHOUT_DEFAULT =
  /^(?:domain|registry\.storage\.driver|registry\.storage\.bucket|traefik\.certResolver|traefik\.api|.*\.maxReplicasPerNode|.*\.reservations\.\w+)$/;

describe("the JSON Schema", () => {
  test("is of draft 2020-12 and valid by it", () => {
    expect(schema.$schema).toBe("https://json-schema.org/draft/2020-12/schema");
    expect(ajv.validateSchema(schema)).toBe(true);
  });

  test("describes every key that holds a value", () => {
    const silent = keys.filter(([, node]) => !isGroup(node) && !node.description);
    expect(silent.map(([path]) => path)).toEqual([]);
  });

  test("has a default, or where one comes from, for every key that has one", () => {
    const bare = keys.filter(
      ([path, node]) => node.default === undefined && !node.derived && !WITHOUT_DEFAULT.test(path),
    );
    expect(bare.map(([path]) => path)).toEqual([]);
  });

  test("requires the domain alone", () => {
    expect(schema.required).toEqual(["domain"]);
    expect(accepts({ domain: "example.com" })).toBe(true);
    expect(accepts({})).toBe(false);
  });

  test.each([
    "domain: example.com",
    "version: 1\ndomain: ${DOMAIN_NAME}",
    "domain: ${DOMAIN_NAME:-example.com}",
    'domain: a.example\nui: { title: "Les Forges d\'Été: (1)" }',
    "domain: a.example\nregistry: { storage: { path: /srv/é } }",
    "domain: a.example\nregistry: { env: { REGISTRY_LOG_LEVEL: debug } }",
    "domain: a.example\nregistry: { resources: { limits: { cpus: 0.57 } } }",
    "domain: a.example\nregistry: { version: 3, image: 'mirror.example:5000/a/b@sha256:" +
      `${"a".repeat(64)}' }`,
    "domain: a.example\nauthelia: { middleware: 'http://authelia:9091/api/authz/forward-auth' }",
    initialConfig({
      domain: "example.com",
      storagePath: "/srv/registry",
      traefikVersion: 2,
      traefikNetwork: "edge",
      ui: "none",
    }),
    trialConfig("/srv/registry", { registry: 5000, ui: 8080 }),
  ])("and the loader both accept %j", (source) => {
    loadConfig(source, "f", { DOMAIN_NAME: "example.com" });
    expect(accepts(parse(source)), ajv.errorsText(accepts.errors)).toBe(true);
  });

  test.each([
    "domain: UPPER.example",
    "domain: a.example\ndomian: b",
    "domain: a.example\nversion: 2",
    "domain: a.example\nstack: 'a b'",
    "domain: a.example\nregistry: { storage: { driver: s3 } }",
    "domain: a.example\nregistry: { storage: { path: /srv/../etc } }",
    "domain: a.example\nregistry: { env: { lower: x } }",
    'domain: a.example\nregistry: { env: { A: "x\\ny" } }',
    "domain: a.example\nregistry: { replicas: 1.5 }",
    "domain: a.example\nregistry: { resources: { limits: { memory: 1b } } }",
    "domain: a.example\nui: { host: 'a`b' }",
    'domain: a.example\nui: { title: "two\\nlines" }',
    "domain: a.example\nui: { access: everybody }",
    "domain: a.example\ntraefik: { version: 1 }",
    "domain: a.example\ntraefik: { middlewares: ['a b'] }",
    "domain: a.example\nports: { ui: 65536 }",
    "domain: a.example\ncredentials: { username: hephaestus-ui }",
  ])("and the loader both refuse %j", (source) => {
    expect(() => loadConfig(source, "f", {})).toThrow();
    expect(accepts(parse(source))).toBe(false);
  });
});
