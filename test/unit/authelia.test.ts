import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";

/** What is rendered for users of Authelia; test/gateway/authelia.test.ts has the gateway's answers. */

const templates = loadTemplates();

function rendered(text: string) {
  const { config } = loadConfig(`domain: a.example\n${text}`, "hephaestus.yaml", {});
  const files = new Map(
    renderFiles(config, templates, "hephaestus.yaml").map((file) => [file.path, file.text]),
  );
  const control = files.get("authelia/access_control.yml");
  return {
    rules: control === undefined ? undefined : parse(control).access_control.rules,
    nginx: files.get("gateway/nginx.conf") ?? "",
  };
}

describe("access_control", () => {
  const library = { domain: "registry-ui.a.example", policy: "bypass" };

  test("lets the registry's host pass where the htpasswd has the users", () => {
    expect(rendered("").rules).toEqual([{ domain: "registry.a.example", policy: "bypass" }, library]);
  });

  test.each(["both", "authelia"])("asks for a password where Authelia is asked: %s", (provider) => {
    const { rules } = rendered(`users: { provider: ${provider} }`);
    expect(rules).toEqual([{ domain: "registry.a.example", policy: "one_factor" }, library]);
  });

  test("is rendered without Traefik too where Authelia is asked, for the registry's host alone", () => {
    const ports = "expose: ports\nswarm: { endpointMode: dnsrr }\n";
    expect(rendered(ports).rules).toBeUndefined();
    const authelia = "users: { provider: both }\nauthelia: { url: 'http://10.0.0.1:9091' }\n";
    expect(rendered(ports + authelia).rules).toEqual([{ domain: "a.example", policy: "one_factor" }]);
  });
});

describe("the gateway", () => {
  test("asks no one but the registry where the htpasswd has the users", () => {
    expect(rendered("").nginx).not.toContain("Authelia");
  });

  test("always asks about https, which alone Authelia judges", () => {
    const ports =
      "expose: ports\nusers: { provider: both }\nauthelia: { url: 'https://sso.a.example/auth' }\n";
    const { nginx } = rendered(ports);
    expect(nginx).toContain("proxy_set_header X-Original-URL https://a.example/v2/;");
    expect(nginx).toContain("set $authelia sso.a.example;");
    expect(nginx).toContain("proxy_pass https://$authelia/auth/api/authz/auth-request;");
  });
});
