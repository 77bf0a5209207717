import { describe, expect, test } from "vitest";
import { ConfigError, type Finding } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";

/** What registry.env takes, and what would work against the rest of the stack. */

function findings(name: string, value = "x"): Finding[] {
  const source = `domain: a.example\nregistry:\n  env:\n    ${name}: ${JSON.stringify(value)}\n`;
  try {
    loadConfig(source, "hephaestus.yaml", {});
  } catch (error) {
    if (error instanceof ConfigError) return [...error.findings];
    throw error;
  }
  return [];
}

describe("registry.env refuses what the stack relies on", () => {
  test.each([
    ["REGISTRY_STORAGE", "s3", /registry\.storage\.driver: s3/],
    ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data", /registry\.storage\.path/],
    ["REGISTRY_STORAGE_S3_BUCKET", "images", /registry\.storage\.driver: s3/],
    ["REGISTRY_STORAGE_DELETE_ENABLED", "true", /registry\.delete/],
    ["REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR", "redis", /after a gc/],
    ["REGISTRY_STORAGE_CACHE", "{}", /after a gc/],
    ["REGISTRY_STORAGE_MAINTENANCE_READONLY", "{}", /hephaestus gc/],
    ["REGISTRY_PROXY_REMOTEURL", "https://registry-1.docker.io", /images under mirror/],
    ["REGISTRY_PROXY", "{}", /images under mirror/],
    ["REGISTRY_MIDDLEWARE_STORAGE", "[{name: redirect}]", /Remove it/],
    ["REGISTRY_AUTH", "silly", /Remove it/],
    ["REGISTRY_AUTH_HTPASSWD_PATH", "/x", /Remove it/],
    ["REGISTRY_HTTP", "{addr: ':80'}", /Remove it/],
    ["REGISTRY_HTTP_ADDR", ":80", /port 5000/],
    ["REGISTRY_HTTP_NET", "unix", /port 5000/],
    ["REGISTRY_HTTP_PREFIX", "/r/", /registry\.host/],
    ["REGISTRY_HTTP_HOST", "https://other.example", /traefik\.publicPort/],
    ["REGISTRY_HTTP_TLS_CERTIFICATE", "/x", /traefik\.certResolver/],
    ["REGISTRY_HTTP_DRAINTIMEOUT", "1s", /Remove it/],
    ["REGISTRY_HTTP_SECRET", "x", /Remove it/],
    ["REGISTRY_HEALTH_STORAGEDRIVER_ENABLED", "false", /Remove it/],
    ["REGISTRY_HEALTH_FILE", "[]", /Remove it/],
    ["REGISTRY_VALIDATION_MANIFESTS_INDEXES_PLATFORMS", "none", /Remove it/],
    ["REGISTRY_CATALOG_MAXENTRIES", "50", /1000 or more/],
    ["REGISTRY_VERSION", "0.1", /Remove it/],
    ["REGISTRY_REPORTING_NEWRELIC_LICENSEKEY", "x", /Remove it/],
    ["OTEL_EXPORTER_OTLP_HEADERS", "x-api=1", /Remove it/],
    ["HEPHAESTUS_READONLY_UNTIL", "9", /hephaestus gc/],
    ["PATH", "/x", /Remove it/],
    ["LD_PRELOAD", "/x", /Remove it/],
  ])("%s=%s, where it stands and with the way to do it", (name, value, remedy) => {
    const [finding, ...others] = findings(name, value);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ line: 4, column: 5 + name.length + 2, path: `registry.env.${name}` });
    expect(finding?.message).toContain(name);
    expect(finding?.remedy).toMatch(remedy);
  });

  test.each([
    ["a login in an address", "REGISTRY_NOTIFICATIONS_ENDPOINTS", "[{url: 'https://ann:pw@hook.example'}]"],
    [
      "a header with a credential",
      "REGISTRY_NOTIFICATIONS_ENDPOINTS",
      "[{headers: {Authorization: [Bearer abc]}}]",
    ],
    ["a mail server's password", "REGISTRY_LOG_HOOKS", "[{options: {smtp: {password: abc}}}]"],
    ["a login of a proxy", "HTTPS_PROXY", "http://ann:pw@proxy.example:3128"],
  ])("%s, which would stand readable in the service's environment", (_name, name, value) => {
    const [finding] = findings(name, value);
    expect(finding?.message).toContain("readable");
    expect(finding?.message).not.toMatch(/pw|abc/);
  });
});

test.each([
  ["REGISTRY_LOG_LEVEL", "debug"],
  ["REGISTRY_LOG_FORMATTER", "json"],
  ["REGISTRY_LOG_ACCESSLOG_DISABLED", "false"],
  ["REGISTRY_NOTIFICATIONS_ENDPOINTS", "[{name: hook, url: 'https://hook.example/events', timeout: 5s}]"],
  ["REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES", "true"],
  ["REGISTRY_HTTP_HTTP2_DISABLED", "true"],
  ["REGISTRY_HTTP_RELATIVEURLS", "true"],
  ["REGISTRY_HTTP_HEADERS", "{X-Content-Type-Options: [nosniff]}"],
  ["REGISTRY_HTTP_DEBUG_ADDR", ":5002"],
  ["REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS", "50"],
  ["REGISTRY_STORAGE_TAG_CONCURRENCYLIMIT", "8"],
  ["REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW", "['^https://']"],
  ["REGISTRY_COMPATIBILITY_SCHEMA1_ENABLED", "true"],
  ["REGISTRY_CATALOG_MAXENTRIES", "5000"],
  ["REGISTRY_POLICY_REPOSITORY_CLASSES", "[image]"],
  ["OTEL_TRACES_EXPORTER", "otlp"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"],
  ["HTTPS_PROXY", "http://proxy.example:3128"],
  ["GOMAXPROCS", "2"],
  ["GREETING", "5 for you"],
])("registry.env takes %s=%s", (name, value) => {
  expect(findings(name, value)).toEqual([]);
});
