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
    ["REGISTRY_STORAGE", "s3"],
    ["REGISTRY_STORAGE_FILESYSTEM_ROOTDIRECTORY", "/data"],
    ["REGISTRY_STORAGE_S3_BUCKET", "images"],
    ["REGISTRY_STORAGE_DELETE_ENABLED", "true"],
    ["REGISTRY_STORAGE_CACHE_BLOBDESCRIPTOR", "redis"],
    ["REGISTRY_STORAGE_CACHE", "{}"],
    ["REGISTRY_STORAGE_MAINTENANCE_READONLY", "{}"],
    ["REGISTRY_PROXY_REMOTEURL", "https://registry-1.docker.io"],
    ["REGISTRY_PROXY", "{}"],
    ["REGISTRY_MIDDLEWARE_STORAGE", "[{name: redirect}]"],
    ["REGISTRY_AUTH", "silly"],
    ["REGISTRY_AUTH_HTPASSWD_PATH", "/x"],
    ["REGISTRY_HTTP", "{addr: ':80'}"],
    ["REGISTRY_HTTP_ADDR", ":80"],
    ["REGISTRY_HTTP_NET", "unix"],
    ["REGISTRY_HTTP_PREFIX", "/r/"],
    ["REGISTRY_HTTP_HOST", "https://other.example"],
    ["REGISTRY_HTTP_TLS_CERTIFICATE", "/x"],
    ["REGISTRY_HTTP_DRAINTIMEOUT", "1s"],
    ["REGISTRY_HTTP_SECRET", "abc"],
    ["REGISTRY_REPORTING_NEWRELIC_LICENSEKEY", "abc"],
    ["REGISTRY_HEALTH_STORAGEDRIVER_ENABLED", "false"],
    ["REGISTRY_HEALTH_FILE", "[]"],
    ["REGISTRY_VALIDATION_MANIFESTS_INDEXES_PLATFORMS", "none"],
    ["REGISTRY_CATALOG_MAXENTRIES", "50"],
    ["REGISTRY_VERSION", "0.1"],
    ["REGISTRY_HTTP_HEADERS", "{X-Foo: [bar]}"],
    ["REGISTRY_NOTIFICATIONS_ENDPOINTS", "[{name: hook, url: 'https://hook.example/events'}]"],
    ["REGISTRY_LOGGER", "x"],
    ["HEPHAESTUS_READONLY_UNTIL", "9"],
    ["PATH", "/x"],
    ["LD_PRELOAD", "/x"],
  ])("%s=%s, at its place in the file, and says what it takes instead", (name, value) => {
    const [finding, ...others] = findings(name, value);
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ line: 4, column: 5 + name.length + 2, path: `registry.env.${name}` });
    expect(finding?.message).toBe(`${name} is not a setting that registry.env takes`);
    expect(finding?.remedy).toMatch(/^Remove it: .*takes REGISTRY_LOG, /);
  });

  test.each([
    ["a mail server's password", "REGISTRY_LOG_HOOKS", "[{options: {smtp: {password: abc}}}]"],
    ["a login of a proxy", "HTTPS_PROXY", "http://ann:pw@proxy.example:3128"],
    ["a password by its name", "REGISTRY_LOG_HOOKS_PASSWORD", "abc"],
    ["the headers of a collector", "OTEL_EXPORTER_OTLP_HEADERS", "x-honeycomb-team=abc"],
    ["the headers of a collector of traces", "OTEL_EXPORTER_OTLP_TRACES_HEADERS", "x-honeycomb-team=abc"],
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
  ["REGISTRY_NOTIFICATIONS_EVENTS_INCLUDEREFERENCES", "true"],
  ["REGISTRY_HTTP_HTTP2_DISABLED", "true"],
  ["REGISTRY_HTTP_RELATIVEURLS", "true"],
  ["REGISTRY_HTTP_DEBUG_ADDR", ":5002"],
  ["REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS", "50"],
  ["REGISTRY_STORAGE_TAG_CONCURRENCYLIMIT", "8"],
  ["REGISTRY_VALIDATION_MANIFESTS_URLS_ALLOW", "['^https://']"],
  ["REGISTRY_COMPATIBILITY_SCHEMA1_ENABLED", "true"],
  ["REGISTRY_POLICY_REPOSITORY_CLASSES", "[image]"],
  ["OTEL_TRACES_EXPORTER", "otlp"],
  ["OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"],
  ["HTTPS_PROXY", "http://proxy.example:3128"],
  ["GOMAXPROCS", "2"],
  ["GREETING", "5 for you"],
])("registry.env takes %s=%s", (name, value) => {
  expect(findings(name, value)).toEqual([]);
});
