import { describe, expect, test } from "vitest";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";

/** What is found in a config, as "severity path". */
function found(text: string): string[] {
  try {
    const { warnings } = loadConfig(`domain: a.example\n${text}`, "f", {});
    return warnings.map(({ path }) => `warning ${path}`);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return error.findings.map(({ severity, path }) => `${severity} ${path}`);
  }
}

const PORTS = "expose: ports\n";
const ADMIN = "registry: { delete: true }\n";
const S3 = "storage: { driver: s3, bucket: images";
const BEHIND_TLS = "traefik: { tls: false, proxies: [10.0.0.1/32]";
const AUTHELIA = "users: { provider: both }\n";

describe("values that do not fit each other are found, and what looks like them is not:", () => {
  test.each<[name: string, wrong: string, path: string, right: string]>([
    [
      "the line of the registry is known",
      "registry: { image: 'a.example/registry:stable' }",
      "error registry.image",
      "registry: { image: 'a.example/registry:stable', version: 2 }",
    ],
    [
      "hosts differ",
      "ui: { host: registry.a.example }",
      "error ui.host",
      "ui: { host: registry.a.example, enabled: false }",
    ],
    [
      "hosts differ behind Traefik",
      "ui: { host: registry.a.example }",
      "error ui.host",
      `${PORTS}ui: { host: registry.a.example }`,
    ],
    [
      "the admin UI's host differs from the registry's",
      `${ADMIN}ui: { admin: { enabled: true, host: registry.a.example } }`,
      "error ui.admin.host",
      `${ADMIN}ui: { admin: { enabled: false, host: registry.a.example } }`,
    ],
    [
      "the admin UI's host differs from the library's",
      `${ADMIN}ui: { admin: { enabled: true, host: registry-ui.a.example } }`,
      "error ui.admin.host",
      `${ADMIN}ui: { admin: { enabled: true, host: admin.a.example } }`,
    ],
    [
      "an option of TLS needs TLS",
      `${BEHIND_TLS}, routerLabels: { tls.options: x@file } }`,
      "error traefik.routerLabels.tls.options",
      "traefik: { routerLabels: { tls.options: x@file } }",
    ],
    [
      "a certificate needs TLS",
      `${BEHIND_TLS}, certResolver: le }`,
      "error traefik.certResolver",
      "traefik: { certResolver: le }",
    ],
    [
      "the proxy before Traefik is known",
      "traefik: { tls: false }",
      "error traefik.proxies",
      `${BEHIND_TLS} }`,
    ],
    ["without a proxy none is asked for", "traefik: { tls: false }", "error traefik.proxies", "traefik: {}"],
    [
      "labels keep the middleware of the stack, in any spelling",
      'traefik: { labels: { "traefik.http.middlewares.Hephaestus-authelia.x": "y" } }',
      "error traefik.labels.traefik.http.middlewares.Hephaestus-authelia.x",
      'traefik: { labels: { "traefik.http.middlewares.mine.x": "y" } }',
    ],
    [
      "labels keep the middleware before Authelia",
      'traefik: { labels: { "traefik.http.middlewares.hephaestus-before-auth.x": "y" } }',
      "error traefik.labels.traefik.http.middlewares.hephaestus-before-auth.x",
      'traefik: { labels: { "traefik.http.middlewares.other-before-auth.x": "y" } }',
    ],
    [
      "the admin UI needs Traefik",
      `${PORTS}${ADMIN}ui: { admin: { enabled: true } }`,
      "error ui.admin.enabled",
      `${PORTS}${ADMIN}ui: { enabled: true }`,
    ],
    [
      "the admin UI needs deletes",
      "ui: { admin: { enabled: true } }",
      "error ui.admin.enabled",
      "ui: { admin: { enabled: false } }",
    ],
    [
      "ports differ where there is a UI",
      `${PORTS}ports: { registry: 8080, ui: 8080 }`,
      "error ports.ui",
      `${PORTS}ports: { registry: 8080, ui: 8080 }\nui: { enabled: false }`,
    ],
    [
      "ports differ where they are used",
      `${PORTS}ports: { registry: 8080, ui: 8080 }`,
      "error ports.ui",
      "ports: { registry: 8080, ui: 8080 }",
    ],
    [
      "Traefik needs names",
      "ui: { host: 10.0.0.1 }",
      "error ui.host",
      `${PORTS}registry: { host: 10.0.0.1 }`,
    ],
    [
      "a login at the UI needs Traefik",
      `${PORTS}ui: { access: sso }`,
      "error ui.access",
      `${PORTS}ui: { access: sso, enabled: false }`,
    ],
    [
      "the gateway reaches Authelia",
      `${PORTS}${AUTHELIA}`,
      "error authelia.url",
      `${PORTS}${AUTHELIA}authelia: { url: 'http://10.0.0.1:9091' }`,
    ],
    ["Authelia is asked where it knows users", `${PORTS}${AUTHELIA}`, "error authelia.url", PORTS],
    [
      "the gateway needs the JavaScript module, whatever the digest",
      `gateway: { image: 'nginx:1.30.5-alpine-slim@sha256:${"a".repeat(64)}' }`,
      "error gateway.image",
      `gateway: { image: 'nginx:1.30.5-alpine@sha256:${"a".repeat(64)}' }`,
    ],
    [
      "the gateway's program needs nginx 1.30",
      "gateway: { image: 'mirror.example:5000/nginx:1.29.9-alpine' }",
      "error gateway.image",
      "gateway: { image: 'mirror.example:5000/nginx:1.30.0' }",
    ],
    [
      "a public UI opens what needs a login",
      "registry: { pull: authenticated }",
      "warning ui.access",
      "registry: { pull: authenticated }\nui: { enabled: false }",
    ],
    [
      "a public UI with rules shows what anyone may see",
      "registry: { pull: authenticated }",
      "warning ui.access",
      "registry: { pull: authenticated }\naccess: [{ repositories: [a], pull: anonymous }]",
    ],
    [
      "images are pinned",
      "regsync: { image: 'ghcr.io/regclient/regsync:latest' }",
      "warning regsync.image",
      "regsync: { image: 'ghcr.io/regclient/regsync:v0.9.2' }",
    ],
    [
      "networks differ",
      "networks: { internal: aether-net }",
      "error networks.internal",
      `${PORTS}networks: { internal: aether-net }`,
    ],
    [
      "a registry that lists all tags on S3",
      `registry: { image: 'registry:3.1.1', ${S3} } }`,
      "error registry.image",
      `registry: { image: 'registry:3.1.2', ${S3} } }`,
    ],
    [
      "a registry 2 on S3, whatever its tag says",
      `registry: { image: 'a.example/registry:4.0.0', version: 2, ${S3} } }`,
      "error registry.image",
      "registry: { image: 'registry:2.8.3' }",
    ],
    [
      "clients are sent to an endpoint with TLS",
      `registry: { image: 'registry:3.1.2', ${S3}, redirect: true, endpoint: 'http://s3.example' } }`,
      "warning registry.storage.redirect",
      `registry: { image: 'registry:3.1.2', ${S3}, redirect: true, endpoint: 'https://s3.example' } }`,
    ],
    [
      "an endpoint without TLS is for the registry alone",
      `registry: { image: 'registry:3.1.2', ${S3}, redirect: true, endpoint: 'http://s3.example' } }`,
      "warning registry.storage.redirect",
      `registry: { image: 'registry:3.1.2', ${S3}, endpoint: 'http://s3.example' } }`,
    ],
  ])("%s", (_name, wrong, path, right) => {
    expect(found(wrong)).toEqual([path]);
    expect(found(right)).toEqual([]);
  });
});
