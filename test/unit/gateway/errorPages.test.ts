import { expect, test } from "vitest";
import { loadConfig } from "../../../src/config/load.js";
import { loadTemplates } from "../../../src/render/templates.js";
import { gatewayConfig } from "../../../src/services/gatewayConfig.js";

/** A location with one error page of its own has none of its server. Source: nginx.org, ngx_http_core_module, "error_page". */
test.each([
  ["a folder", {}, ["@files", "@immutable"]],
  ["a cache", { cache: "1G" }, ["@manifests", "@digests", "@immutable"]],
])("of %s, a place with an error page of its own has one for each fault that the other places have one for", (_, gateway, expected) => {
  const access = [{ repositories: ["team/**"], immutable: ["v*"] }];
  const { config } = loadConfig(JSON.stringify({ domain: "a.example", access, gateway }), "f", {});
  const text = gatewayConfig(config, { templates: loadTemplates(), header: "", source: "" });
  const faults = (block: string) =>
    [...block.matchAll(/error_page (.*) = @\w+;/g)].flatMap(([, statuses = ""]) => statuses.split(" "));
  const ofServer = faults(/^ {4}server \{\n[^}]*?(?=^ {8}location )/m.exec(text)?.[0] ?? "");
  expect(ofServer).toEqual(["405", "502", "504", "529"]);
  const places = [...text.matchAll(/^ {8}location (@\w+) \{\n([^}]*(?:proxy_pass|root) [^}]*)\}/gm)].map(
    ([, name = "", block = ""]) => ({ name, own: faults(block) }),
  );
  const odd = places.filter(({ own }) => own.length > 0);
  expect(odd.map(({ name }) => name)).toEqual(expected);
  for (const { own } of odd) expect(own).toEqual(expect.arrayContaining(ofServer));
});
