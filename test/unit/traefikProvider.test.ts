import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import type { TraefikFacts } from "../../src/doctor/traefikApi.js";
import { judgeTraefik } from "../../src/doctor/traefikChecks.js";
import { judgeTraefikService, traefikServiceChecks } from "../../src/doctor/traefikServiceChecks.js";
import { readTimeout } from "../../src/doctor/traefikTimeout.js";
import type { Finding } from "../../src/finding.js";
import type { ServiceSpec, SwarmService } from "../../src/swarm/objects.js";
import { entrypoint, router } from "../e2e/doctor/fakes.js";
import { service } from "./swarmObjects.js";

/** Why Traefik does not see our services, or takes all clients for one. */

const load = (text = "") => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {}).config;
const ids = (findings: readonly Finding[]) => findings.map(({ severity, code }) => `${severity} ${code}`);
const PUBLIC = "Label(`traefik.constraint-label`, `traefik-public`)";

describe("Traefik's own service in the Swarm", () => {
  const NETWORK = "net1";
  const OURS = { "com.docker.stack.namespace": "forge" };
  const gateway = (labels: Record<string, string> = { "traefik.enable": "true" }) =>
    named("forge_gateway", { Labels: { ...OURS, ...labels } });
  const named = (Name: string, spec: Partial<ServiceSpec>, container: object = {}, networks = [NETWORK]) => {
    const one = service();
    return {
      ...one,
      Spec: {
        ...one.Spec,
        Name,
        ...spec,
        TaskTemplate: {
          ...one.Spec.TaskTemplate,
          ContainerSpec: { Image: "registry:2", ...container },
          Networks: networks.map((Target) => ({ Target })),
        },
      },
    } as SwarmService;
  };
  const traefik = (
    args: string[],
    {
      ports = [{ PublishedPort: 443, TargetPort: 443, PublishMode: "host" }],
      networks = [NETWORK],
      ...container
    }: {
      ports?: object[];
      networks?: string[];
      [key: string]: unknown;
    } = {},
  ) =>
    named(
      "edge_traefik",
      { EndpointSpec: { Ports: ports } } as Partial<ServiceSpec>,
      { Image: "traefik:v3.5@sha256:abc", Args: args, ...container },
      networks,
    );
  const judge = (services: SwarmService[], text = "", minApiVersion = "1.24") => {
    const config = load(text);
    const isAsked = traefikServiceChecks.checks.every(({ applies }) => applies?.(config));
    const { finding } = isAsked ? readTimeout(config, services) : {};
    return [
      ...judgeTraefikService(config, { services, networkId: NETWORK, minApiVersion }),
      ...(finding ? [finding] : []),
    ];
  };
  const SOUND = [
    "--providers.swarm.endpoint=unix:///var/run/docker.sock",
    "--providers.swarm.exposedByDefault=false",
  ];

  test("is sound, or is none, or has its settings in a file that is not read", () => {
    expect(judge([gateway(), traefik(SOUND)])).toEqual([]);
    expect(judge([gateway()])).toEqual([]);
    expect(judge([gateway(), traefik(["--configFile=/etc/traefik.yml"])])).toEqual([]);
    const mounted = { Configs: [{ ConfigName: "c", File: { Name: "/etc/traefik/traefik.yml" } }] };
    expect(judge([gateway(), traefik([], mounted)])).toEqual([]);
    expect(judge([gateway(), traefik([], { Mounts: [{ Target: "/etc/traefik" }] })])).toEqual([]);
    expect(judge([gateway(), named("x_traefik-cron", {}, { Image: "cron/traefik-cron:1" })])).toEqual([]);
  });

  test.each<[string, string[], Record<string, unknown>, string]>([
    ["by an argument", [...SOUND, `--providers.swarm.constraints=${PUBLIC}`], {}, ""],
    ["in other letters", [...SOUND, `--Providers.Swarm.Constraints=${PUBLIC}`], {}, ""],
    [
      "in double quotes, with another",
      [
        ...SOUND,
        `--providers.swarm.constraints=${PUBLIC.replaceAll("`", '"')} && Label(\`traefik.enable\`,\`true\`)`,
      ],
      {},
      "",
    ],
    ["in its environment", [], { Env: [`TRAEFIK_PROVIDERS_SWARM_CONSTRAINTS=${PUBLIC}`] }, ""],
    [
      "of line 2",
      ["--providers.docker.swarmMode=true", `--providers.docker.constraints=${PUBLIC}`],
      { Image: "traefik:v2.11" },
      "traefik: { version: 2 }",
    ],
  ])("leaves ours out by its constraint, given %s", (_name, args, container, text) => {
    const found = judge([gateway(), traefik(args, container)], text);
    expect(ids(found)).toEqual(["error traefik-constraint"]);
    expect(found[0]?.message).toContain("gateway");
    expect(found[0]?.evidence).toContain(`edge_traefik: ${text ? "providers.docker" : "providers.swarm"}`);
    expect(found[0]?.evidence.replaceAll('"', "`")).toContain(PUBLIC);
    expect(found[0]?.remedy).toContain("traefik.labels: { traefik.constraint-label: traefik-public");
    const fitting = gateway({ "traefik.enable": "true", "traefik.constraint-label": "traefik-public" });
    expect(judge([fitting, traefik(args, container)], text)).toEqual([]);
  });

  test("leaves out a stack of another name, which is no fault", () => {
    const Labels = { "com.docker.stack.namespace": "forge_two", "traefik.http.routers.x.rule": "Host(`x`)" };
    const constraint = "--providers.swarm.constraints=Label(`traefik.enable`, `true`)";
    const two = named("forge_two_gateway", { Labels });
    expect(judge([gateway(), two, traefik([...SOUND, constraint])])).toEqual([]);
  });

  test("leaves it to another one that takes ours", () => {
    const inner = traefik([...SOUND, `--providers.swarm.constraints=${PUBLIC}`]);
    expect(judge([gateway(), inner, traefik(SOUND)])).toEqual([]);
  });

  test.each([
    "Tag(`x`)",
    "Label(`a`)",
    "!Label(`a`, `b`)",
    "LabelRegex(`a`, `^b`)",
    "Label(`a`, `b`) || Label(`c`, `d`)",
    "Label(`a`, `b`) && (Label(`c`, `d`))",
  ])("has the constraint %s, which is not judged", (constraint) => {
    expect(judge([gateway(), traefik([...SOUND, `--providers.swarm.constraints=${constraint}`])])).toEqual(
      [],
    );
  });

  test("has a constraint that a label which is not there fits", () => {
    expect(judge([gateway(), traefik([...SOUND, "--providers.swarm.constraints=Label(`a`, ``)"])])).toEqual(
      [],
    );
  });

  test.each([
    ["traefik:v3.5@sha256:abc", "1.44", "error traefik-old", "3.6.1"],
    ["traefik:3.6.0", "1.44", "error traefik-old", "3.6.1"],
    ["traefik:v3.6.1", "1.44", undefined, ""],
    ["traefik:v3.6", "1.44", undefined, ""],
    ["traefik:v3", "1.44", undefined, ""],
    ["traefik:latest", "1.44", undefined, ""],
    ["traefik:v2.11.3", "1.44", "error traefik-old", "2.11.31"],
    ["traefik:v2.11.31", "1.44", undefined, ""],
    ["traefik:v3.5", "1.24", undefined, ""],
    ["traefik:v3.2.1", "1.24", "warning traefik-old", "3.2.2"],
    ["traefik:v2.10", "1.24", undefined, ""],
  ])("%s with an engine that speaks %s and newer: %s", (Image, minApiVersion, wanted, remedy) => {
    const version = Image.includes("v2") ? 2 : 3;
    const args = version === 2 ? ["--providers.docker.swarmMode=true"] : SOUND;
    const found = judge(
      [gateway(), traefik(args, { Image })],
      `traefik: { version: ${version} }`,
      minApiVersion,
    );
    expect(ids(found)).toEqual(wanted === undefined ? [] : [wanted]);
    if (wanted !== undefined) expect(found[0]?.remedy).toContain(`${remedy} or newer`);
    // What people look for.
    if (wanted?.startsWith("error")) expect(found[0]?.evidence).toContain("client version 1.24 is too old");
  });

  test("reads labels of other services of the stack only where they have routers", () => {
    const registry = named("forge_registry", { Labels: OURS });
    expect(
      judge([
        gateway(),
        registry,
        traefik([...SOUND, "--providers.swarm.constraints=Label(`traefik.enable`,`true`)"]),
      ]),
    ).toEqual([]);
  });

  test.each<[string, string[], string, RegExp]>([
    ["no provider for a Swarm", ["--providers.file.directory=/x"], "", /--providers\.swarm=true/],
    ["the provider of line 2", ["--providers.docker.swarmMode=true"], "", /traefik\.version: 2/],
    ["the provider of line 3", SOUND, "traefik: { version: 2 }", /traefik\.version: 3/],
    [
      "containers instead of services",
      ["--providers.docker=true"],
      "traefik: { version: 2 }",
      /swarmMode=true/,
    ],
  ])("has %s", (_name, args, text, remedy) => {
    const [finding, ...others] = judge([gateway(), traefik(args, { Image: "traefik:latest" })], text);
    expect(others).toEqual([]);
    expect(finding?.code).toBe("traefik-provider");
    expect(finding?.remedy).toMatch(remedy);
  });

  test("is not on the network that it shall reach ours by", () => {
    const found = judge([gateway(), traefik(SOUND, { networks: ["other"] })]);
    expect(ids(found)).toEqual(["error traefik-not-on-network"]);
    expect(found[0]?.remedy).toContain("aether-net");
  });

  const WEB = [...SOUND, "--entryPoints.websecure.address=:443"];
  const TIMEOUT = "--entryPoints.websecure.transport.respondingTimeouts.readTimeout";
  const asVariables = (args: string[]) => ({
    Env: args.map((arg) => {
      const [, name = "", value = "true"] = /^--([^=]+)(?:=(.*))?$/.exec(arg) ?? [];
      return `TRAEFIK_${name.toUpperCase().replaceAll(".", "_")}=${value}`;
    }),
  });

  test.each<[string, SwarmService, string, RegExp]>([
    ["by default", traefik(WEB), "", /edge_traefik sets no readTimeout.*default is 60 seconds/],
    ["by default, of line 2", traefik(WEB, { Image: "traefik:v2.11" }), "", /default is 60 seconds/],
    ["by an argument", traefik([...WEB, `${TIMEOUT}=2m`]), "", /edge_traefik: .*readTimeout is 2m/],
    ["in other letters", traefik([...WEB, `${TIMEOUT.toLowerCase()}=120`]), "", /readTimeout is 120/],
    ["by default, with variables", traefik([], asVariables(WEB)), "", /default is 60 seconds/],
    ["by a variable", traefik([], asVariables([...WEB, `${TIMEOUT}=90s`])), "", /readTimeout is 90s/],
    [
      "on another entrypoint",
      traefik([...WEB, "--entryPoints.my_tls.address=:444", `${TIMEOUT}=0`]),
      "traefik: { entrypoint: my_tls }",
      /default is 60 seconds/,
    ],
  ])("cuts large layers %s", (_name, one, text, evidence) => {
    const found = judge([gateway(), one], text);
    expect(ids(found)).toEqual(["warning read-timeout-short"]);
    expect(found[0]?.evidence).toMatch(evidence);
    expect(found[0]?.remedy).toMatch(/--entryPoints\.\w+\.transport\.respondingTimeouts\.readTimeout=15m/);
    // Its API says it too, and better.
    const settings = text.replace(/^traefik: \{(.*)\}$/, "$1,") || "";
    expect(judge([gateway(), one], `traefik: { ${settings} api: 'http://traefik:8080' }`)).toEqual([]);
  });

  test.each<[string, SwarmService[]]>([
    ["is long enough", [traefik([...WEB, `${TIMEOUT}=15m`])]],
    ["is no limit", [traefik([...WEB, `${TIMEOUT}=0s`])]],
    ["is no limit before 2.11.2", [traefik(WEB, { Image: "traefik:v2.11.1" })]],
    ["is no limit in 2.10", [traefik(WEB, { Image: "traefik:v2.10" })]],
    ["is long enough at one of two", [traefik(WEB), traefik([...WEB, `${TIMEOUT}=15m`])]],
  ])("cuts no layers where its read timeout %s", (_name, traefiks) => {
    expect(judge([gateway(), ...traefiks])).toEqual([]);
    expect(readTimeout(load(), traefiks).unknown).toBeUndefined();
  });

  test.each<[string, SwarmService[], RegExp]>([
    ["its settings are in a file", [traefik(["--configFile=/etc/traefik.yml"])], /edge_traefik.*file/],
    ["its image has a file, since nothing names the entrypoint", [traefik([])], /edge_traefik.*file/],
    ["one of two has a file", [traefik(WEB), traefik(["--configFile=/x.yml"])], /edge_traefik.*file/],
    ["it is no service of this Swarm", [gateway()], /no service of this Swarm/],
  ])("may cut large layers where %s, which is told", (_name, services, reason) => {
    expect(judge(services)).toEqual([]);
    expect(readTimeout(load(), services).unknown).toMatch(reason);
    expect(readTimeout(load("expose: ports"), services)).toEqual({});
  });

  test.each<[string, object[], string, string[]]>([
    [
      "through the ingress mesh",
      [{ PublishedPort: 443, PublishMode: "ingress" }],
      "",
      ["warning clients-share-address"],
    ],
    ["as Docker does by default", [{ PublishedPort: 443 }], "", ["warning clients-share-address"]],
    [
      "on another port",
      [
        { PublishedPort: 8443, PublishMode: "ingress" },
        { PublishedPort: 443, PublishMode: "host" },
      ],
      "traefik: { publicPort: 8443 }",
      ["warning clients-share-address"],
    ],
    [
      "with its dashboard alone in the mesh",
      [
        { PublishedPort: 8080, PublishMode: "ingress" },
        { PublishedPort: 443, PublishMode: "host" },
      ],
      "",
      [],
    ],
    ["on the node", [{ PublishedPort: 443, PublishMode: "host" }], "", []],
    ["not at all, behind a tunnel", [], "traefik: { tls: false, proxies: [10.0.0.1/32] }", []],
  ])("is published %s", (_name, ports, text, expected) => {
    const found = judge([gateway(), traefik(SOUND, { ports })], text);
    expect(ids(found)).toEqual(expected);
    if (expected.length > 0) {
      expect(found[0]?.message).toContain("guesses are counted for all clients together");
      expect(found[0]?.remedy).toContain("mode: host");
    }
  });
});

describe("a router that Traefik's API does not show", () => {
  const config = load();
  const facts = (changes: Partial<TraefikFacts> = {}): TraefikFacts => ({
    routers: [router("other@swarm", "other.example"), router("api@internal", "x")],
    missingMiddlewares: [],
    entrypoint: entrypoint("websecure", "900000000000ns"),
    version: "3.6.2",
    ...changes,
  });
  const missing = (changes: Partial<TraefikFacts>) => {
    const found = judgeTraefik(config, facts(changes)).filter(({ code }) => code === "router-missing");
    expect(found).toHaveLength(2);
    return found[0] as Finding;
  };

  test("may be left out by something that the API does not tell", () => {
    expect(missing({}).remedy).toMatch(
      /hephaestus status.*manager.*providers\.swarm\.constraints.*traefik\.labels/,
    );
  });

  test("has a Traefik of the other line", () => {
    const old = missing({ version: "2.11.2" });
    expect(old.evidence).toContain("2.11.2");
    expect(old.remedy).toContain("traefik.version: 2");
    const seen = missing({
      routers: ["registry", "registry-ui"].map((name) => router(`forge-${name}@docker`, "x")),
    });
    expect(seen.evidence).toContain("forge-registry@docker");
    expect(seen.remedy).toContain("traefik.version: 2");
  });

  test.each([
    ["3.6.2", "1.44", []],
    [undefined, "1.44", []],
    ["3.5.0", undefined, []],
    ["3.5.0", "1.44", ["error traefik-old"]],
    ["3.2.1", "1.24", ["warning traefik-old"]],
  ])("is there with Traefik %s, and the engine speaks %s and newer", (version, minApiVersion, expected) => {
    const routers = [
      router("forge-registry@swarm", "registry.a.example"),
      router("forge-registry-ui@swarm", "registry-ui.a.example"),
    ];
    expect(ids(judgeTraefik(config, facts({ routers, version, minApiVersion })))).toEqual(expected);
  });
});
