import { readdirSync, readFileSync } from "node:fs";
import { execa, execaSync } from "execa";
import { expect, test } from "vitest";
import { parse, stringify } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { composedSpec, readComposeFile } from "../../src/diff/composedService.js";
import { serviceFacts } from "../../src/diff/serviceFacts.js";
import { loadTemplates } from "../../src/render/templates.js";
import type { ComposeFile } from "../../src/services/composeModel.js";
import { COMPOSE_FILE, renderFiles } from "../../src/stack.js";
import { currentDebian } from "../support/currentDebian.js";
import { dockersReading } from "../support/dockersReading.js";
import { CASES } from "../support/golden.js";
import fc from "../support/properties.js";
import { useSwarm } from "./swarm.js";

useSwarm();
const templates = loadTemplates();
const GENERATIONS = { HEPHAESTUS_GENERATION: "3", HEPHAESTUS_MACHINE_GENERATION: "2" };

/** The first docker that has `docker stack config`: one in PATH, else that of the current Debian. The CLI of line 20.10 has none. */
const DOCKER = [
  ...(process.env.PATH ?? "").split(":").map((folder) => [`${folder}/docker`]),
  ["chroot", currentDebian(String(process.env.HEPHAESTUS_CACHE)), "docker"],
].find(([program = "", ...args]) => {
  const { stdout } = execaSync(program, [...args, "stack", "--help"], { reject: false });
  return /^ +config\b/m.test(String(stdout));
}) as [string, ...string[]];

/** What docker makes of a compose file. */
async function stackConfig(text: string): Promise<ComposeFile> {
  const [program, ...args] = DOCKER;
  const run = await execa(program, [...args, "stack", "config", "--compose-file", "-"], {
    input: text,
    env: GENERATIONS,
    reject: false,
  });
  expect(run.exitCode, `${run.stderr}\n${text}`).toBe(0);
  return dockersReading(run.stdout);
}

/** Docker's own reading and ours lead to the same services. */
function expectSameServices(text: string, theirs: ComposeFile): void {
  const ours = readComposeFile(text);
  expect(Object.keys(ours.services).sort()).toEqual(Object.keys(theirs.services).sort());
  const factsOf = (compose: ComposeFile, name: string) =>
    serviceFacts(composedSpec("forge", compose, name, GENERATIONS), { stack: "forge", networks: new Map() });
  for (const name of Object.keys(ours.services)) expect(factsOf(ours, name)).toEqual(factsOf(theirs, name));
}

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
        publicPort: fc.integer({ min: 1, max: 65535 }),
        tls: fc.boolean(),
        labels: fc.dictionary(
          fc.constantFrom("traefik.constraint-label", "note/a", "tags[0]"),
          fc.constantFrom("traefik-public", "$HOME ${X:-y} $$", "yes", "0400", "a: b #c", "'\"`"),
        ),
        routerLabels: fc.dictionary(
          fc.constantFrom("priority", "observability.tracing"),
          fc.constantFrom("50", "true"),
        ),
      },
      { requiredKeys: [] },
    ),
    authelia: fc.record({
      middleware: fc.constantFrom("authelia@docker", "http://authelia:9091/api/authz/forward-auth?a=1&b=%20"),
    }),
    networks: fc.record(
      { encrypted: fc.boolean(), mtu: fc.integer({ min: 576, max: 9216 }) },
      { requiredKeys: [] },
    ),
    swarm: fc.record({ endpointMode: fc.constantFrom("vip", "dnsrr") }),
    expose: fc.constantFrom("traefik", "ports"),
  },
  { requiredKeys: ["domain"] },
);

interface Understood {
  networks: Record<string, { driver_opts?: Record<string, string> }>;
  services: Record<
    string,
    { environment?: Record<string, string>; deploy: { labels?: Record<string, string> } }
  >;
}

/** The compose file of a config. */
const rendered = (config: ReturnType<typeof loadConfig>["config"]): string =>
  renderFiles(config, templates, "hephaestus.yaml").find(({ path }) => path === COMPOSE_FILE)?.text ?? "";

test.each(Object.entries(CASES))("a rendered file is read as docker reads it: %s", async (_name, source) => {
  const text = rendered(loadConfig(source, "hephaestus.yaml", {}).config);
  expectSameServices(text, await stackConfig(text));
});

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
      const compose = rendered(config);
      const theirs = await stackConfig(compose);
      expectSameServices(compose, theirs);
      const understood = theirs as unknown as Understood;
      const environment = understood.services.registry?.environment ?? {};
      for (const [key, value] of Object.entries(config.registry.env)) {
        expect(String(environment[key] ?? "")).toBe(value);
      }
      const labels = understood.services.gateway?.deploy.labels ?? {};
      const rule = labels[`traefik.http.routers.${config.stack}-registry.rule`];
      expect(rule).toBe(config.expose === "traefik" ? `Host(\`${config.registry.host}\`)` : undefined);
    }),
    { numRuns: 60 },
  );
});

const EXAMPLES = new URL("../../docs/examples/", import.meta.url);

test.each(
  readdirSync(EXAMPLES).filter((file) => file.endsWith(".yaml")),
)("docker understands the example %s", async (file) => {
  const { config } = loadConfig(readFileSync(new URL(file, EXAMPLES), "utf8"), file, {});
  const text = rendered(config);
  expectSameServices(text, await stackConfig(text));
});

test("docker understands the example of a Prometheus, which has what is rendered for it", async () => {
  const text = readFileSync(new URL("prometheus-stack.yml", EXAMPLES), "utf8");
  const understood = await stackConfig(text);
  const { config } = loadConfig(
    readFileSync(new URL("monitored.yaml", EXAMPLES), "utf8"),
    "monitored.yaml",
    {},
  );
  const files = renderFiles(config, templates, "monitored.yaml").map(({ path }) => path);
  const { services, configs, networks } = parse(text) as {
    services: object;
    configs: Record<string, { file: string }>;
    networks: object;
  };
  expect(Object.keys(understood.services).sort()).toEqual(Object.keys(services).sort());
  for (const { file } of Object.values(configs)) expect(files).toContain(file.replace("./", ""));
  expect(Object.keys(networks)).toEqual([config.metrics.network]);
  const { nodeExporters, blackboxExporter } = config.metrics;
  for (const address of [...nodeExporters, blackboxExporter])
    expect(Object.keys(services)).toContain(/monitoring_([a-z-]+):/.exec(String(address))?.[1]);
});
