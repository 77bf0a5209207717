import { isDeepStrictEqual } from "node:util";
import { expect, test } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import type { RenderedFile } from "../../src/render/renderedFile.js";
import { loadTemplates } from "../../src/render/templates.js";
import { COMPOSE_FILE, renderFiles } from "../../src/stack.js";
import fc from "../support/properties.js";

const templates = loadTemplates();

type Leaves = Map<string, unknown>;

/** What docker would read out of a compose file: each value by its place, `$$` and the generation resolved. */
function leavesOf(files: readonly RenderedFile[]): Leaves {
  const leaves: Leaves = new Map();
  const walk = (value: unknown, place: string) => {
    if (value !== null && typeof value === "object" && Object.keys(value).length > 0) {
      for (const [key, inner] of Object.entries(value)) walk(inner, `${place}/${key}`);
    } else {
      leaves.set(place, typeof value === "string" ? interpolated(value) : value);
    }
  };
  walk(parse(files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "", { version: "1.1" }), "");
  return leaves;
}

const interpolated = (text: string) =>
  text.replace(/\$\$|\$\{HEPHAESTUS_(?:MACHINE_)?GENERATION:-1\}|\$/g, (found) => {
    if (found === "$") throw new Error(`compose would interpolate ${text}`);
    return found === "$$" ? "$" : "1";
  });

const render = (written: object) =>
  renderFiles(loadConfig(JSON.stringify(written), "f", {}).config, templates, "hephaestus.yaml");

/** A config with a value at every optional place, so that another value adds no key. */
const base = () => ({
  domain: "example.com",
  registry: {
    version: 2,
    env: { MOTTO: "base" },
    placement: { constraints: ["node.role == manager"] },
    resources: { limits: { memory: "1G" } },
  } as Record<string, unknown>,
  gateway: {} as Record<string, unknown>,
  ui: { access: "sso" } as Record<string, unknown>,
  traefik: {
    certResolver: "base",
    middlewares: ["base@file"],
    labels: { note: "base" },
    routerLabels: { priority: "base" },
  } as Record<string, unknown>,
  authelia: { middleware: "http://base/" },
  credentials: {} as Record<string, unknown>,
});
type Written = ReturnType<typeof base>;

const SERVICES = "/services";
const router = (service: string, key: string) => {
  const name = service === "gateway" ? "registry" : service;
  return `${SERVICES}/${service}/deploy/labels/traefik.http.routers.hephaestus-${name}.${key}`;
};
const both = (of: (service: string) => string, value: string) => ({
  [of("gateway")]: value,
  [of("registry-ui")]: value,
});
const stored = (key: string, value: string) => ({ [`${SERVICES}/registry/${key}`]: value });
/** Where the files are, the gateway is too. */
const besideFiles = (key: string, ofGateway: string, value: string) => ({
  ...stored(key, value),
  [`${SERVICES}/gateway/${ofGateway}`]: value,
});
const READ = "(Method(`GET`) || Method(`HEAD`) || Method(`OPTIONS`))";

interface Field {
  put(config: Written, value: string): void;
  /** Text that this field takes now and then. */
  likely: RegExp;
  /** Every place of the compose file that the value reaches, with what stands there. */
  places(value: string): Record<string, string>;
}

const HOST = /^[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z0-9]{1,5}){0,2}$/;
const IMAGE = /^[a-z0-9]{1,5}(\/[a-z0-9]{1,5}){0,2}:[\w][\w.-]{0,6}$/;
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}$/;

const FIELDS: Record<string, Field> = {
  "registry.env": {
    put: (config, MOTTO) => Object.assign(config.registry, { env: { MOTTO } }),
    likely: /^[-+]?[0-9a-fox_.e"'`$\\{}:#&*!|>%@ ]{0,12}$/,
    places: (value) => stored("environment/MOTTO", value),
  },
  "registry.storage.path": {
    put: (config, path) => Object.assign(config.registry, { storage: { path } }),
    likely: /^\/[ a-z0-9{}#&*!|>%@=;()[\]~^?]{1,10}$/,
    places: (value) => besideFiles("volumes/0/source", "volumes/1/source", value),
  },
  "registry.image": {
    put: (config, image) => Object.assign(config.registry, { image }),
    likely: IMAGE,
    places: (value) => stored("image", value),
  },
  "registry.resources.limits.memory": {
    put: (config, memory) => Object.assign(config.registry, { resources: { limits: { memory } } }),
    likely: /^[1-9][0-9]{1,4}[mMgG][bB]?$/,
    places: (value) => stored("deploy/resources/limits/memory", value),
  },
  "registry.placement.constraints": {
    put: (config, one) => Object.assign(config.registry, { placement: { constraints: [one] } }),
    likely: /^node\.labels\.[a-z]{1,4} ?(==|!=) ?[a-zA-Z0-9_./-]{1,5}$/,
    places: (value) => besideFiles("deploy/placement/constraints/0", "deploy/placement/constraints/0", value),
  },
  "registry.host": {
    put: (config, host) => Object.assign(config.registry, { host }),
    likely: HOST,
    places: (value) => ({
      [router("gateway", "rule")]: `Host(\`${value}\`)`,
      [`${SERVICES}/registry-ui/environment/PULL_URL`]: value,
    }),
  },
  "gateway.image": {
    put: (config, image) => Object.assign(config.gateway, { image }),
    likely: IMAGE,
    places: (value) => ({ [`${SERVICES}/gateway/image`]: value }),
  },
  "ui.host": {
    put: (config, host) => Object.assign(config.ui, { host }),
    likely: HOST,
    places: (value) => ({ [router("registry-ui", "rule")]: `Host(\`${value}\`) && ${READ}` }),
  },
  "ui.title": {
    put: (config, title) => Object.assign(config.ui, { title }),
    likely: /^[\wàé(][\wàé .,:;!?()/+@#'-]{0,12}$/,
    places: (value) => ({ [`${SERVICES}/registry-ui/environment/REGISTRY_TITLE`]: value }),
  },
  "traefik.entrypoint": {
    put: (config, entrypoint) => Object.assign(config.traefik, { entrypoint }),
    likely: NAME,
    places: (value) => both((service) => router(service, "entrypoints"), value),
  },
  "traefik.certResolver": {
    put: (config, certResolver) => Object.assign(config.traefik, { certResolver }),
    likely: NAME,
    places: (value) => both((service) => router(service, "tls.certresolver"), value),
  },
  "traefik.labels": {
    put: (config, note) => Object.assign(config.traefik, { labels: { note } }),
    likely: /^[-+]?[0-9a-fox_.e"'`$\\{}:#&*!|>%@ ]{0,12}$/,
    places: (value) => both((service) => `${SERVICES}/${service}/deploy/labels/note`, value),
  },
  "traefik.routerLabels": {
    put: (config, priority) => Object.assign(config.traefik, { routerLabels: { priority } }),
    likely: /^[-+]?[0-9a-fox_.e"'`$\\{}:#&*!|>%@ ]{0,12}$/,
    places: (value) => both((service) => router(service, "priority"), value),
  },
  "traefik.middlewares": {
    put: (config, one) => Object.assign(config.traefik, { middlewares: [one] }),
    likely: /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,8}(@[a-z]{1,4})?$/,
    places: (value) => ({
      [router("gateway", "middlewares")]: value,
      [router("registry-ui", "middlewares")]:
        `${value},hephaestus-before-auth@swarm,hephaestus-authelia@swarm`,
    }),
  },
  "authelia.middleware": {
    put: (config, address) => Object.assign(config.authelia, { middleware: `http://${address}` }),
    likely: /^[a-z]{1,5}(:[0-9]{2,4})?\/[a-z0-9?=&%._~-]{0,9}$/,
    places: (value) => ({
      [`${SERVICES}/registry-ui/deploy/labels/traefik.http.middlewares.hephaestus-authelia.forwardauth.address`]: `http://${value}`,
    }),
  },
  "credentials.username": {
    put: (config, username) => Object.assign(config.credentials, { username }),
    likely: NAME,
    places: () => ({}),
  },
};

const usual = leavesOf(render(base()));
/** Names of Swarm configs carry a digest of their content, which may hold the value. */
const isDigest = (place: string) => /^\/configs\/[^/]+\/name$/.test(place);

/** How many parts Traefik sees in the labels that it takes apart. */
function grammar(leaves: Leaves, service: string) {
  const label = (key: string) => String(leaves.get(router(service, key)));
  return [label("rule").split(/[`|&()]/).length, label("middlewares").split(/[, ]/).length];
}

/** Each is tried at all fields. */
const BREAKOUTS = [
  "a`) || Host(`b",
  "a,b@file",
  "a b",
  "x\n    privileged: true",
  "${HOME}",
  "$(id)",
  "a; }\nserver {",
  "{{header}}",
];

const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 24 }),
  fc.string({ unit: "binary-ascii", maxLength: 24 }),
);

/** The config with the values that are accepted, and which those are. */
function accepted(values: Readonly<Record<string, string>>) {
  const left = new Map(Object.entries(values));
  for (;;) {
    const config = base();
    for (const [name, value] of left) FIELDS[name]?.put(config, value);
    try {
      return { files: render(config), values: left };
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      const refused = [...left.keys()].filter((name) =>
        error.findings.some(({ path }) => `${path}.`.startsWith(`${name}.`)),
      );
      expect(refused, error.message).not.toEqual([]);
      for (const name of refused) left.delete(name);
    }
  }
}

test("a text at any place stands in its own places of the compose file as it was written, and changes no other", () => {
  const names = Object.keys(FIELDS);
  const counts = new Map(names.map((name) => [name, 0]));
  const texts = fc.record(
    Object.fromEntries(
      Object.entries(FIELDS).map(([name, { likely }]) => [
        name,
        fc.oneof(hostile, fc.stringMatching(likely)),
      ]),
    ),
  );
  fc.assert(
    fc.property(texts, (written) => {
      const { files, values } = accepted(written);
      const leaves = leavesOf(files);
      expect([...leaves.keys()]).toEqual([...usual.keys()]);
      const wanted = new Map(usual);
      for (const [name, value] of values) {
        counts.set(name, (counts.get(name) ?? 0) + 1);
        for (const [place, text] of Object.entries(FIELDS[name]?.places(value) ?? {}))
          wanted.set(place, text);
      }
      for (const service of ["gateway", "registry-ui"])
        expect(grammar(leaves, service)).toEqual(grammar(usual, service));
      const wrong = [...leaves].filter(
        ([place, found]) => !isDigest(place) && !isDeepStrictEqual(found, wanted.get(place)),
      );
      expect(wrong).toEqual([]);
    }),
    {
      numRuns: 150,
      examples: BREAKOUTS.map((text) => [Object.fromEntries(names.map((name) => [name, text]))]),
    },
  );
  // The property would say nothing of a place where nothing is accepted.
  for (const [name, count] of counts) expect(count, name).toBeGreaterThan(20);
});
