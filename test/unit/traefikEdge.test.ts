import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { publicUrls } from "../../src/config/resolve.js";
import { loadTemplates } from "../../src/render/templates.js";
import type { ComposeFile } from "../../src/services/composeModel.js";
import type { Settings } from "../../src/services/gateway/program/settings.js";
import { renderFiles } from "../../src/stack.js";

/** The Traefik that people have: its labels, its public port, and TLS that ends before it. */

const templates = loadTemplates();
const PROXY = "proxies: [172.20.0.5/32]";
const load = (text: string) => loadConfig(`domain: a.example\nstack: forge\n${text}`, "f", {}).config;

function rendered(text: string) {
  const files = renderFiles(load(text), templates, "f");
  const of = (path: string) => files.find((file) => file.path === path)?.text ?? "";
  const model = parse(of("docker-compose.yml"), { version: "1.1" }) as ComposeFile;
  const labels = (service: string) => model.services[service]?.deploy.labels ?? {};
  return {
    model,
    labels,
    nginx: of("gateway/nginx.conf"),
    settings: JSON.parse(of("gateway/gateway.json")) as Settings,
  };
}

function mistakes(text: string): string[] {
  try {
    load(text);
  } catch (error) {
    if (error instanceof ConfigError)
      return error.findings.map(
        ({ line, path, message, remedy }) => `${line} ${path}: ${message}: ${remedy}`,
      );
    throw error;
  }
  return [];
}

describe("own labels", () => {
  const own = "labels: { traefik.constraint-label: traefik-public }";

  test.each([2, 3])("stand on every service that has a router, beside ours (Traefik %s)", (version) => {
    const { labels, model } = rendered(
      `registry: { delete: true }\nui: { admin: { enabled: true } }\ntraefik: { version: ${version}, ${own} }`,
    );
    for (const service of ["gateway", "registry-ui", "registry-admin"]) {
      expect(labels(service)["traefik.constraint-label"], service).toBe("traefik-public");
      expect(labels(service)["traefik.enable"]).toBe("true");
      expect(labels(service)[`traefik.${version === 2 ? "docker" : "swarm"}.network`]).toBe("aether-net");
    }
    expect(model.services.registry?.deploy.labels).toEqual({ "hephaestus.stack": "forge" });
  });

  test("of routers stand on each of our routers", () => {
    const { labels } = rendered("traefik: { routerLabels: { tls.options: modern@file, priority: '50' } }");
    expect(labels("gateway")).toMatchObject({
      "traefik.http.routers.forge-registry.tls.options": "modern@file",
      "traefik.http.routers.forge-registry.priority": "50",
    });
    expect(labels("registry-ui")).toMatchObject({
      "traefik.http.routers.forge-registry-ui.tls.options": "modern@file",
    });
  });

  test.each([
    ["ours", "labels: { traefik.enable: 'false' }", /traefik\.labels\.traefik\.enable: .*Hephaestus sets/],
    ["ours in other letters", "labels: { Traefik.Enable: 'false' }", /Hephaestus sets/],
    ["the network of the other line", "labels: { traefik.docker.network: x }", /traefik\.network/],
    ["a router", "labels: { traefik.http.routers.forge-registry.priority: '1' }", /traefik\.routerLabels/],
    ["a service", "labels: { traefik.http.services.x.loadbalancer.sticky: 'true' }", /several services/],
    [
      "our middleware",
      "labels: { traefik.http.middlewares.forge-authelia.forwardauth.address: x }",
      /own name/,
    ],
    ["a stack's own label", "labels: { com.docker.stack.namespace: x }", /Hephaestus sets/],
    ["a label of ownership", "labels: { hephaestus.stack: x }", /Hephaestus sets/],
    ["a password's hash", "labels: { traefik.http.middlewares.x.basicauth.users: 'a:b' }", /readable/],
    ["a login in an address", "labels: { note: 'https://ann:pw@x.example' }", /readable/],
    ["two lines", 'labels: { note: "a\\nb" }', /line breaks/],
    ["no name of a label", "labels: { 'a b': x }", /letters, digits/],
    ["a number", "labels: { a: 1 }", /in quotes/],
    ["our rule", "routerLabels: { rule: 'Host(`x`)' }", /Hephaestus sets/],
    ["our middlewares", "routerLabels: { Middlewares: x }", /traefik\.middlewares/],
    ["our resolver", "routerLabels: { tls.certresolver: x }", /traefik\.certResolver/],
    [
      "TLS where there is none",
      "tls: false, proxies: [10.0.0.1/32], routerLabels: { tls.options: x@file }",
      /ends before Traefik/,
    ],
    [
      "a router by name",
      "routerLabels: { traefik.http.routers.x.priority: '1' }",
      /behind the router's name/,
    ],
  ])("that are %s are refused", (_name, line, wanted) => {
    const found = mistakes(`traefik: { ${line} }`);
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/^3 /);
    expect(found[0]).toMatch(wanted);
  });
});

describe("the public address", () => {
  test("is https on 443 unless the config says another port", () => {
    expect(publicUrls(load("")).registry).toBe("https://registry.a.example");
    const config = load(
      "traefik: { publicPort: 8443 }\nregistry: { delete: true }\nui: { admin: { enabled: true } }",
    );
    expect(publicUrls(config)).toEqual({
      registry: "https://registry.a.example:8443",
      ui: "https://registry-ui.a.example:8443",
      admin: "https://registry-admin.a.example:8443",
    });
  });

  test("with another port is in the challenge, the registry's headers, and the library's pull addresses", () => {
    const { settings, model, labels } = rendered("traefik: { publicPort: 8443 }");
    expect(settings.address).toMatchObject({ scheme: "https", authority: "registry.a.example:8443" });
    expect(settings.ui).toBe("https://registry-ui.a.example:8443/");
    expect(model.services["registry-ui"]?.environment?.PULL_URL).toBe("registry.a.example:8443");
    // A rule of Traefik knows hosts without ports.
    expect(labels("gateway")["traefik.http.routers.forge-registry.rule"]).toBe("Host(`registry.a.example`)");
    expect(labels("gateway")["traefik.http.routers.forge-registry.tls"]).toBe("true");
  });

  test("stays https where TLS ends before Traefik, and the router has none", () => {
    const { settings, labels } = rendered(`traefik: { tls: false, ${PROXY} }\nui: { access: sso }`);
    expect(settings.address).toMatchObject({ scheme: "https", authority: "registry.a.example" });
    for (const [service, name] of [
      ["gateway", "forge-registry"],
      ["registry-ui", "forge-registry-ui"],
    ] as const) {
      const router = `traefik.http.routers.${name}`;
      expect(Object.keys(labels(service)).filter((label) => label.startsWith(`${router}.tls`))).toEqual([]);
      expect(labels(service)[`${router}.entrypoints`]).toBe("web");
    }
  });

  test("believes the proxy before Traefik alone, which has to be named", () => {
    const { nginx } = rendered(`traefik: { tls: false, ${PROXY} }`);
    expect(nginx).toContain("        172.20.0.5/32 1;\n");
    expect(nginx).not.toContain("real_ip_recursive");

    expect(mistakes("traefik: { tls: false }")).toEqual([
      expect.stringMatching(/^3 traefik\.proxies: .*nothing names the proxy/),
    ]);
    const plain = rendered("").nginx;
    expect(plain).not.toContain("$before_traefik");
    expect(plain).not.toContain("real_ip_recursive");
  });

  test("is what Authelia is told, whatever the tunnel says of it", () => {
    const { labels } = rendered(
      `traefik: { tls: false, ${PROXY}, middlewares: [own@file] }\nui: { access: sso }`,
    );
    expect(labels("registry-ui")).toMatchObject({
      "traefik.http.routers.forge-registry-ui.middlewares": "own@file,forge-before-auth@swarm,authelia@swarm",
      "traefik.http.middlewares.forge-before-auth.headers.customrequestheaders.X-Forwarded-Proto": "https",
    });
    const usual = rendered("ui: { access: sso }").labels("registry-ui");
    expect(Object.keys(usual).filter((label) => label.includes("Forwarded-Proto"))).toEqual([]);
  });

  test("hands on no name that a client gives itself", () => {
    const { labels } = rendered("registry: { delete: true }\nui: { admin: { enabled: true } }");
    expect(labels("registry-admin")).toMatchObject({
      "traefik.http.routers.forge-registry-admin.middlewares": "forge-before-auth@swarm,authelia@swarm",
      "traefik.http.middlewares.forge-before-auth.headers.customrequestheaders.Remote-User": "",
    });
  });

  test("keeps an entrypoint that was named, and asks for no certificate without TLS", () => {
    expect(load(`traefik: { tls: false, ${PROXY}, entrypoint: tunnel }`).traefik.entrypoint).toBe("tunnel");
    expect(load("").traefik.entrypoint).toBe("websecure");
    const [mistake] = mistakes("traefik: { tls: false, proxies: [10.0.0.1/32], certResolver: letsencrypt }");
    expect(mistake).toMatch(/^3 traefik\.certResolver: .*tls: false/);
  });
});

describe("networks.mtu", () => {
  test("is an option of the internal network, beside encryption", () => {
    const labels = { "hephaestus.stack": "forge" };
    expect(rendered("networks: { mtu: 1420, encrypted: true }").model.networks.internal).toEqual({
      driver: "overlay",
      labels,
      driver_opts: { encrypted: "true", "com.docker.network.driver.mtu": "1420" },
    });
    expect(rendered("").model.networks.internal).toEqual({ driver: "overlay", labels });
  });

  test.each(["100", "100000", "1420.5", "'1420'"])("refuses %s", (mtu) => {
    expect(mistakes(`networks: { mtu: ${mtu} }`)).toHaveLength(1);
  });
});
