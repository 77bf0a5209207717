import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { loadTemplates } from "../../src/render/templates.js";
import { gatewayConfig } from "../../src/services/gatewayConfig.js";

/** What anybody can make the gateway hold, in memory and in its files. */

const MIB = 1024 * 1024;
const templates = loadTemplates();

/** Rules with globs of many stars. */
const RULES = `registry: { delete: true }
access:
  - { repositories: ["**/a/**/b"], pull: [ann], immutable: ["v*.*.*"] }
`;

function gateway(more = "") {
  const { config } = loadConfig(`version: 1\ndomain: example.com\n${more}`, "hephaestus.yaml", {});
  const { text } = gatewayConfig(config, { templates, header: "", source: "" });
  return { text };
}

const first = (text: string, pattern: RegExp): number[] =>
  (pattern.exec(text) ?? []).slice(1).map((digits) => Number(digits));

test.each([
  ["512M", ""],
  ["64M", "gateway: { resources: { limits: { memory: 64M } } }\n"],
  ["2G", "gateway: { resources: { limits: { memory: 2G } } }\n"],
])("answers that nobody reads fit in %s of memory", (memory, more) => {
  const { text } = gateway(more);
  const [count = 0, size = 0] = first(text, /proxy_buffers (\d+) (\d+)k;/);
  const [head = 0] = first(text, /proxy_buffer_size (\d+)k;/);
  const [answers = 0] = first(text, /limit_conn answers (\d+);/);
  const [ofNetwork = 0] = first(text, /limit_conn answers_of_network (\d+);/);
  const limit = Number.parseInt(memory, 10) * (memory.endsWith("G") ? 1024 : 1) * MIB;
  expect(answers).toBeGreaterThan(50);
  expect(ofNetwork).toBeLessThan(answers);
  expect(answers * (count * size + head) * 1024).toBeLessThan(0.6 * limit);
});

test("no cache key holds what a client may write freely", () => {
  for (const more of ["", "gateway: { cache: 1G }\n", "registry: { delete: true }\n"]) {
    const keys = [...gateway(more).text.matchAll(/proxy_cache_key (.*);/g)].map(([, key = ""]) => key);
    expect(keys.length).toBeGreaterThan(3);
    for (const variable of keys.flatMap((key) => key.match(/\$\w+/g) ?? []))
      expect([
        "$denied",
        "$uri",
        "$accepted",
        "$slice_range",
        "$credential",
        // Of a credential that was right before.
        "$http_authorization",
        "$time_iso8601",
        "$http_x_client_network",
      ]).toContain(variable);
  }
});

test("what logins need is not in the folder of the manifests", () => {
  const folders = [...gateway().text.matchAll(/_(?:cache|temp)_path (\/.+?)\/(\w+)[ ;]/g)].map(
    ([, folder, name]) => ({ folder, name }),
  );
  const of = (name: string) => folders.find((one) => one.name === name)?.folder;
  // A container has two that are in memory and writable for everybody.
  expect([of("manifests"), of("checks")]).toEqual(["/dev/shm", "/tmp"]);
  expect(folders.filter(({ folder }) => folder === "/dev/shm")).toHaveLength(1);
});

test("an expression of the rules that fails, since its text is made so, refuses", () => {
  const { text } = gateway(RULES);
  const mapOf = (name: string) => text.slice(text.indexOf(` $${name} {`)).split("\n    }")[0] ?? "";
  // nginx gives the default then. Source: nginx, ngx_http_map_find().
  expect(mapOf("rule")).toMatch(/"~\^" +0;\n +default none;$/);
  expect(mapOf("immutable")).toMatch(/"~\^" +"";\n +default tag;$/);
  // The query, whose length a client chooses, is no part of a tag; nor is a name that no repository can have looked at.
  expect(mapOf("immutable")).not.toContain("[^/]");
  expect(mapOf("rule").indexOf('"~^.{256}" none;')).toBeLessThan(mapOf("rule").indexOf('"~^(?:'));
});
