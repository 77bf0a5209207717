import { readdirSync, readFileSync } from "node:fs";
import { execa } from "execa";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { COMPOSE_FILE, renderFiles } from "../../src/render/files.js";
import { loadTemplates } from "../../src/render/templates.js";
import { useSwarm } from "./swarm.js";

useSwarm();
const templates = loadTemplates();

const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}$/);
const host = fc.tuple(name, name).map(([first, second]) => `${first}.${second}.example`);

/** Configs that the schema takes, with values at its edges. */
const accepted = fc.record(
  {
    stack: fc.stringMatching(/^[a-z0-9]{1,30}$/),
    domain: host,
    registry: fc.record(
      {
        image: fc.constantFrom(
          "registry:2.8.3",
          "registry:3.0.0",
          `mirror.example:5000/a/b:2@sha256:${"a".repeat(64)}`,
        ),
        host,
        pull: fc.constantFrom("anonymous", "authenticated"),
        delete: fc.boolean(),
        storage: fc.record({ path: fc.constantFrom("/srv/r", "/mnt/a b/é", "/x/{{y}}/#z", "/srv/%25&*!") }),
        replicas: fc.integer({ min: 1, max: 100 }),
        env: fc.dictionary(
          fc.stringMatching(/^[A-Z]{1,5}$/),
          fc
            .oneof(
              fc.string({ maxLength: 30 }),
              fc.constantFrom("$HOME ${X:-y} $$", "yes", "0400", "a: b #c", "'\"`"),
            )
            .filter((value) => !/\p{Cc}/u.test(value)),
          { maxKeys: 4 },
        ),
        resources: fc.record({
          limits: fc.record({ cpus: fc.constantFrom(0.25, 1, 1.5), memory: fc.constantFrom("64M", "1G") }),
          reservations: fc.record({ memory: fc.constant("32M") }, { requiredKeys: [] }),
        }),
      },
      { requiredKeys: [] },
    ),
    ui: fc.record(
      {
        enabled: fc.boolean(),
        title: fc.constantFrom("Hephaestus", "Les Forges d'Été: (1)", "yes", "0x10", "#1"),
        access: fc.constantFrom("public", "sso"),
      },
      { requiredKeys: [] },
    ),
    traefik: fc.record(
      {
        version: fc.constantFrom(2, 3),
        network: name.map((value) => `net-${value}`),
        certResolver: name,
        middlewares: fc.array(
          name.map((value) => `${value}@file`),
          { maxLength: 3 },
        ),
      },
      { requiredKeys: [] },
    ),
    authelia: fc.record({
      middleware: fc.constantFrom("authelia@docker", "http://authelia:9091/api/authz/forward-auth?a=1&b=%20"),
    }),
    networks: fc.record({ encrypted: fc.boolean() }),
    swarm: fc.record({ endpointMode: fc.constantFrom("vip", "dnsrr") }),
    expose: fc.constantFrom("traefik", "ports"),
  },
  { requiredKeys: ["domain"] },
);

interface Understood {
  services: Record<
    string,
    { environment?: Record<string, string>; deploy: { labels?: Record<string, string> } }
  >;
}

test("docker understands every accepted config, and each value is where it was put", async () => {
  await fc.assert(
    fc.asyncProperty(accepted, async (written) => {
      let config: ReturnType<typeof loadConfig>["config"];
      try {
        config = loadConfig(stringify(written), "hephaestus.yaml", {}).config;
      } catch (error) {
        // Combinations that a rule refuses (sso with ports, a title that begins with #) are not accepted ones.
        expect((error as Error).name).toBe("ConfigError");
        return;
      }
      const compose = renderFiles(config, templates, "hephaestus.yaml").find(
        ({ path }) => path === COMPOSE_FILE,
      );
      const run = await execa("docker", ["stack", "config", "--compose-file", "-"], {
        input: compose?.text ?? "",
        reject: false,
      });
      expect(run.exitCode, `${run.stderr}\n${compose?.text}`).toBe(0);
      const understood = parse(run.stdout) as Understood;
      const environment = understood.services.registry?.environment ?? {};
      for (const [key, value] of Object.entries(config.registry.env)) {
        expect(String(environment[key] ?? "")).toBe(value);
      }
      const labels = understood.services.gateway?.deploy.labels ?? {};
      const rule = labels[`traefik.http.routers.${config.stack}-registry.rule`];
      expect(rule).toBe(config.expose === "traefik" ? `Host(\`${config.registry.host}\`)` : undefined);
    }),
    { numRuns: 60, seed: 20_261_124 },
  );
});

const EXAMPLES = new URL("../../docs/examples/", import.meta.url);

test.each(
  readdirSync(EXAMPLES).filter((file) => file.endsWith(".yaml")),
)("docker understands the example %s", async (file) => {
  const { config } = loadConfig(readFileSync(new URL(file, EXAMPLES), "utf8"), file, {});
  const compose = renderFiles(config, templates, file).find(({ path }) => path === COMPOSE_FILE);
  const run = await execa("docker", ["stack", "config", "--compose-file", "-"], {
    input: compose?.text ?? "",
    reject: false,
  });
  expect(run.exitCode, run.stderr).toBe(0);
});
