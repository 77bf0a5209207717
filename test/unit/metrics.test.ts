import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import type { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { judgeNetworks } from "../../src/doctor/networkChecks.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import type { SwarmFacts } from "../../src/swarm/swarmFacts.js";
import { swarmFacts } from "./swarmObjects.js";

const ON = "metrics: { enabled: true, network: monitoring";
const load = (text: string) => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {});
const filesOf = (text: string): Record<string, string> =>
  Object.fromEntries(
    renderFiles(load(text).config, loadTemplates(), "f").map((file) => [file.path, file.text]),
  );

describe("a config with metrics", () => {
  test.each([
    ["metrics: { enabled: true }", "metrics.enabled", /without a network/],
    ["metrics: { enabled: true, network: aether-net }", "metrics.network", /aether-net is Traefik's network/],
    ["metrics: { enabled: true, network: internal }", "metrics.network", /internal is the stack's own/],
    [`${ON} }\nregistry: { env: { REGISTRY_HTTP_DEBUG_ADDR: ":6000" } }`, "registry.env", /would move/],
    [
      `${ON}, blackboxExporter: "http://blackbox" }`,
      "metrics.blackboxExporter",
      /not an address of an exporter/,
    ],
  ])("is refused: %s", (text, path, message) => {
    let findings: ConfigError["findings"] = [];
    try {
      load(text);
    } catch (error) {
      findings = (error as ConfigError).findings;
    }
    expect(findings.map((finding) => finding.path?.startsWith(path))).toEqual([true]);
    expect(findings[0]?.message).toMatch(message);
  });

  test.each([
    "metrics: { network: aether-net }",
    `${ON} }`,
    "expose: ports\nmetrics: { enabled: true, network: aether-net }",
    `${ON} }\nregistry: { image: "registry:3.1.2", storage: { driver: s3, bucket: images } }`,
    `${ON} }\ngateway: { image: "mirror.example/nginx@sha256:${"0".repeat(64)}" }`,
  ])("is taken: %s", (text) => expect(load(text).warnings).toEqual([]));

  test("is told that a bucket has no disk, and gets no alert for one", () => {
    const text = `${ON}, nodeExporters: ["n:9100"] }\nregistry: { image: "registry:3.1.2", storage: { driver: s3, bucket: images } }`;
    expect(load(text).warnings.map(({ message }) => message)).toEqual([expect.stringMatching(/no disk/)]);
    const files = filesOf(text);
    for (const path of ["prometheus.yml", "alerts.yml", "dashboard.json"])
      expect(files[`monitoring/${path}`], path).not.toMatch(/disk|filesystem|storage_free/i);
  });
});

describe("what is rendered for Prometheus", () => {
  const alertsOf = (text: string) =>
    (
      parse(filesOf(text)["monitoring/alerts.yml"] ?? "") as { groups: [{ rules: { alert?: string }[] }] }
    ).groups[0].rules.flatMap(({ alert }) => alert ?? []);
  const panelsOf = (text: string) =>
    (JSON.parse(filesOf(text)["monitoring/dashboard.json"] ?? "") as { panels: unknown[] }).panels.length;

  test("asks only what the config names an exporter for", () => {
    const basic = ["HephaestusServiceDown", "HephaestusErrorRate"];
    expect([...new Set(alertsOf(`${ON} }`))]).toEqual(basic);
    expect(panelsOf(`${ON} }`)).toBe(11);
    const disk = ["HephaestusDiskSpaceCritical", "HephaestusDiskSpaceLow"];
    expect([...new Set(alertsOf(`${ON}, nodeExporters: ["n:9100"] }`))]).toEqual([...basic, ...disk]);
    expect(panelsOf(`${ON}, nodeExporters: ["n:9100"] }`)).toBe(12);
    // Without TLS there is no certificate.
    const lan = `expose: ports\n${ON}, blackboxExporter: "b:9115" }`;
    expect([...new Set(alertsOf(lan))]).toEqual([...basic, "HephaestusFrontDoorDown"]);
    expect(panelsOf(lan)).toBe(12);
  });

  test("a library behind Authelia is not asked, because Authelia would answer", () => {
    const probed = (ui: string) =>
      filesOf(`${ON}, blackboxExporter: "b:9115" }\n${ui}`)["monitoring/prometheus.yml"];
    expect(probed("")).toContain("- https://registry-ui.a.example/");
    expect(probed("ui: { access: sso }")).not.toContain("registry-ui");
  });

  test("nothing is rendered where metrics are off", () => {
    const files = filesOf("metrics: { network: monitoring, nodeExporters: ['n:9100'] }");
    expect(Object.keys(files).filter((path) => /monitoring|metrics/.test(path))).toEqual([]);
    expect(Object.values(files).join("")).not.toMatch(/5001|monitoring/);
  });
});

describe("a network of Prometheus", () => {
  const judge = (metrics: SwarmFacts["metrics"], text = `${ON} }`) =>
    judgeNetworks(load(text).config, swarmFacts({ metrics })).map(({ code, message, remedy }) => [
      code,
      message,
      remedy,
    ]);

  test.each<[string, SwarmFacts["metrics"], string]>([
    ["is missing", undefined, "network-missing"],
    ["is no overlay network", { id: "b", scope: "local", driver: "bridge" }, "network-not-overlay"],
  ])("that %s is told with its key", (_name, network, code) => {
    expect(judge(network)).toEqual([
      [code, expect.stringContaining("monitoring"), expect.stringContaining("metrics.network")],
    ]);
  });

  test("is not asked for without metrics, and is no fault where it is sound", () => {
    expect(judge(undefined, "")).toEqual([]);
    expect(judge({ id: "b", scope: "swarm", driver: "overlay" })).toEqual([]);
  });
});

/** What nginx gives the script. */
interface FakeRequest {
  variables: Record<string, string>;
  error(text: string): void;
}

describe("the script of the gateway", async () => {
  const text = filesOf(`${ON} }`)["registry-metrics/metrics.js"] ?? "";
  const { default: script } = (await import(`data:text/javascript,${encodeURIComponent(text)}`)) as {
    default: { count(r: FakeRequest): string; page(items: [string, number][], status: string): string };
  };
  const counters = new Map<string, number>();
  const incr = (key: string, amount: number, first: number) =>
    counters.set(key, (counters.get(key) ?? first) + amount);
  const errors: string[] = [];
  const request = (action: string, status: string, seconds: string): FakeRequest => ({
    variables: { action, status, request_time: seconds, bytes_sent: "100", request_length: "10" },
    error: (message) => errors.push(message),
  });
  const status = [
    "Active connections: 3 ",
    "server accepts handled requests",
    " 11 10 20 ",
    "Reading: 1 Writing: 2 Waiting: 0 ",
    "",
  ].join("\n");

  test("counts requests by action and status, their durations and bytes", () => {
    Object.assign(globalThis, { ngx: { shared: { requests: { incr } } } });
    for (const one of [
      request("pull", "200", "0.010"),
      request("pull", "200", "0.011"),
      request("pull", "404", "500.000"),
      request("", "404", "0.000"),
    ])
      expect(script.count(one)).toBe("");
    const page = script.page([...counters], status);
    for (const line of [
      "# TYPE hephaestus_gateway_requests_total counter",
      'hephaestus_gateway_requests_total{action="other",code="404"} 1',
      'hephaestus_gateway_requests_total{action="pull",code="200"} 2',
      'hephaestus_gateway_request_duration_seconds_bucket{action="pull",le="0.01"} 1',
      'hephaestus_gateway_request_duration_seconds_bucket{action="pull",le="0.05"} 2',
      'hephaestus_gateway_request_duration_seconds_bucket{action="pull",le="120"} 2',
      'hephaestus_gateway_request_duration_seconds_bucket{action="pull",le="+Inf"} 3',
      'hephaestus_gateway_request_duration_seconds_count{action="pull"} 3',
      'hephaestus_gateway_sent_bytes_total{action="pull"} 300',
      'hephaestus_gateway_received_bytes_total{action="other"} 10',
      "nginx_connections_active 3",
      "nginx_connections_accepted 11",
      "nginx_connections_handled 10",
      "nginx_http_requests_total 20",
      "nginx_connections_reading 1",
      "nginx_connections_writing 2",
      "nginx_connections_waiting 0",
    ])
      expect(page.split("\n"), line).toContain(line);
    expect(page).toMatch(/_sum\{action="pull"\} 500\.021\n/);
  });

  test("never fails a request: what it cannot count goes to the log", () => {
    Object.assign(globalThis, { ngx: {} });
    expect(script.count(request("pull", "200", "1"))).toBe("");
    expect(errors).toEqual([expect.stringContaining("metrics.js")]);
  });
});
