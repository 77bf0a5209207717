import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import type { Config } from "../../src/config/resolve.js";
import { loadTemplates } from "../../src/render/templates.js";
import type { ComposeFile } from "../../src/services/composeModel.js";
import { COMPOSE_FILE, renderFiles } from "../../src/stack.js";
import fc from "../support/properties.js";

const templates = loadTemplates();

/** Text that tries to get out of where it is put. */
const hostile = fc.oneof(
  fc.string({ unit: "binary", maxLength: 20 }),
  fc.string({ unit: "grapheme", maxLength: 20 }),
  fc.constantFrom(
    "a`) || Host(`b",
    "x\n    privileged: true",
    "${HOME}",
    "$(id)",
    "a; }  location / { return 200; }",
    '"; drop',
    "'",
    "{{header}}",
    "a,b@file",
    "yes",
    "0400",
    "~",
    "<script>",
  ),
  fc.stringMatching(/^[a-z0-9.:/@_-]{1,20}$/),
);

/** Places of the config that take text. */
const TEXT_PATHS = [
  ["domain"],
  ["stack"],
  ["registry", "host"],
  ["registry", "image"],
  ["registry", "user"],
  ["registry", "storage", "path"],
  ["registry", "env", "REGISTRY_LOG_LEVEL"],
  ["registry", "resources", "limits", "memory"],
  ["gateway", "image"],
  ["ui", "host"],
  ["ui", "image"],
  ["ui", "title"],
  ["traefik", "network"],
  ["traefik", "entrypoint"],
  ["traefik", "certResolver"],
  ["authelia", "middleware"],
  ["networks", "internal"],
  ["credentials", "username"],
] as const;

function withText(path: readonly string[], value: string): unknown {
  const config: Record<string, unknown> = {
    domain: "example.com",
    ui: { access: "sso" },
    registry: { version: 2 },
  };
  let parent = config;
  for (const key of path.slice(0, -1)) {
    parent[key] = { ...(parent[key] as object) };
    parent = parent[key] as Record<string, unknown>;
  }
  parent[path.at(-1) as string] = value;
  return config;
}

/** The config, or undefined where it is refused as a person's mistake. */
function accepted(source: string): Config | undefined {
  try {
    return loadConfig(source, "hephaestus.yaml", {}).config;
  } catch (error) {
    expect(error).toBeInstanceOf(ConfigError);
    return undefined;
  }
}

const render = (config: Config) => renderFiles(config, templates, "hephaestus.yaml");

/** The shape of a value: every leaf replaced, so that only structure is compared. */
function shape(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(shape);
  if (value !== null && typeof value === "object") return Object.values(value).map(shape);
  return typeof value;
}

const reference = render(accepted(stringify(withText(["domain"], "example.com"))) as Config);
const compose = (files: readonly { path: string; text: string }[]) => {
  const text = files.find(({ path }) => path === COMPOSE_FILE)?.text ?? "";
  return { text, model: parse(text, { version: "1.1" }) as ComposeFile };
};
const usualModel = compose(reference).model;
const usualLabels = Object.keys(usualModel.services["registry-ui"]?.deploy.labels ?? {}).length;

test("no accepted text changes the shape of what is rendered, or leaves its place", () => {
  let rendered = 0;
  fc.assert(
    fc.property(fc.constantFrom(...TEXT_PATHS), hostile, (path, value) => {
      const config = accepted(stringify(withText(path, value)));
      if (!config) return;
      rendered++;
      const files = render(config);
      const { text, model } = compose(files);
      const labels = Object.keys(model.services["registry-ui"]?.deploy.labels ?? {}).length;
      expect([usualLabels, usualLabels + 1, usualLabels + 3]).toContain(labels);
      expect(Object.keys(model.services)).toEqual(["registry", "gateway", "registry-ui"]);
      expect(
        model.services.gateway?.deploy.labels?.[`traefik.http.routers.${config.stack}-registry.rule`],
      ).toBe(`Host(\`${config.registry.host}\`)`);
      // Compose interpolates nothing but the generation.
      const literal = text
        .replaceAll(/name: \S+_\$\{HEPHAESTUS_(?:MACHINE_)?GENERATION:-1\}$/gm, "")
        .replaceAll("$$", "");
      expect(literal).not.toContain("$");
      // The other files have the lines of their template, whatever stands in them.
      for (const { path: file, text: other } of files.slice(1)) {
        const usualText = reference.find((candidate) => candidate.path === file)?.text ?? "";
        expect(other.split("\n").length, file).toBe(usualText.split("\n").length);
        expect(other.match(/[{}]/g)?.length, file).toBe(usualText.match(/[{}]/g)?.length);
        expect(other.match(/;$/gm)?.length, file).toBe(usualText.match(/;$/gm)?.length);
      }
      if (path[0] === "registry" && (path[1] === "host" || path[1] === "user")) {
        expect(shape(model)).toEqual(shape(usualModel));
      }
    }),
    { numRuns: 1500 },
  );
  // The property would say nothing if nothing were accepted.
  expect(rendered).toBeGreaterThan(100);
});

test("whatever a file holds, a mistake of a person is reported as one", () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.string({ unit: "binary", maxLength: 200 }),
        fc.json().map((json) => json),
      ),
      (source) => {
        accepted(source);
      },
    ),
    { numRuns: 1000 },
  );
});

test("whatever values stand at known keys, a mistake of a person is reported as one", () => {
  const value = fc.oneof(
    fc.anything({ maxDepth: 2 }).filter((any) => typeof any !== "bigint"),
    hostile,
  );
  const keys = [
    "version",
    "stack",
    "domain",
    "expose",
    "registry",
    "gateway",
    "ui",
    "traefik",
    "ports",
    "swarm",
  ];
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), value), (object) => {
      accepted(JSON.stringify(object) ?? "");
    }),
    { numRuns: 500 },
  );
});

test("the same config renders to the same bytes", () => {
  fc.assert(
    fc.property(fc.constantFrom(...TEXT_PATHS), hostile, (path, value) => {
      const source = stringify(withText(path, value));
      const [first, second] = [accepted(source), accepted(source)];
      if (first && second) expect(render(first)).toEqual(render(second));
    }),
    { numRuns: 300 },
  );
});
