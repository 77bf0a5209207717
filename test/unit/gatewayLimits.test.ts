import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { loadTemplates } from "../../src/render/templates.js";
import { gatewayConfig } from "../../src/services/gatewayConfig.js";

/** What anybody can make the gateway hold, in memory and in its files. */

const MIB = 1024 * 1024;
const templates = loadTemplates();

function gateway(more = "") {
  const { config } = loadConfig(`version: 1\ndomain: example.com\n${more}`, "hephaestus.yaml", {});
  return gatewayConfig(config, { templates, header: "", source: "" });
}

/** With a reader there are caches. */
const READER = "gateway: { cache: 1G }\n";

const first = (text: string, pattern: RegExp): number[] =>
  (pattern.exec(text) ?? []).slice(1).map((digits) => Number(digits));

test.each([
  ["512M", ""],
  ["64M", "gateway: { resources: { limits: { memory: 64M } } }\n"],
  ["2G", "gateway: { resources: { limits: { memory: 2G } } }\n"],
])("answers that nobody reads fit in %s of memory", (memory, more) => {
  const text = gateway(more);
  const [count = 0, size = 0] = first(text, /proxy_buffers (\d+) (\d+)k;/);
  const [head = 0] = first(text, /proxy_buffer_size (\d+)k;/);
  const [answers = 0] = first(text, /limit_conn answers (\d+);/);
  const [ofNetwork = 0] = first(text, /limit_conn answers_of_network (\d+);/);
  const limit = Number.parseInt(memory, 10) * (memory.endsWith("G") ? 1024 : 1) * MIB;
  expect(answers).toBeGreaterThan(39);
  expect(ofNetwork).toBeLessThan(answers);
  // The program holds 0.4 MiB for each.
  expect(answers * ((count * size + head) * 1024 + 0.4 * MIB)).toBeLessThan(0.6 * limit);
});

test.each([
  ["", 512],
  ["gateway: { resources: { limits: { memory: 64M } } }\n", 64],
  ["gateway: { resources: { limits: { memory: 2G } } }\n", 2048],
])("what the program keeps for the next requests is a quarter of the memory at most: %j", (more, mebibytes) => {
  const [workers = 0] = first(gateway(more), /worker_processes (\d+);/);
  const [contexts = 0] = first(gateway(more), /js_context_reuse (\d+);/);
  expect(contexts).toBeGreaterThan(0);
  expect(workers * contexts * 0.4).toBeLessThanOrEqual(mebibytes / 4);
});

test("no cache key holds what a client may write freely", () => {
  const keys: string[] = [];
  for (const more of [READER, "gateway: { cache: 1G }\nregistry: { delete: true }\n"]) {
    const found = [...gateway(more).matchAll(/proxy_cache_key (.*);/g)].map(([, key = ""]) => key);
    keys.push(...found);
    // $sent has no query where something is kept, and $accepted is one of four.
    for (const variable of found.flatMap((key) => key.match(/\$\w+/g) ?? []))
      expect(["$sent", "$accepted", "$slice_range"]).toContain(variable);
  }
  expect(keys.length).toBeGreaterThan(2);
});

test("what fills the memory of a container is in the folder of the manifests alone", () => {
  const folders = [...gateway(READER).matchAll(/_(?:cache|temp)_path (\/.+?)\/(\w+)[ ;]/g)].map(
    ([, folder, name]) => ({ folder, name }),
  );
  expect(folders.filter(({ folder }) => folder === "/dev/shm").map(({ name }) => name)).toEqual([
    "manifests",
  ]);
});
