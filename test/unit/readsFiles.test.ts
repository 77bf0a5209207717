/** When the gateway reads the files of the registry, and what its service and the library then are. */
import { expect, test } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../src/config/load.js";
import { loadTemplates } from "../../src/render/templates.js";
import type { ComposeFile } from "../../src/services/composeModel.js";
import { renderFiles } from "../../src/stack.js";

const templates = loadTemplates();
function rendered(config: object) {
  const loaded = loadConfig(JSON.stringify({ domain: "a.example", ...config }), "f", {});
  const [compose, ...files] = renderFiles(loaded.config, templates, "f");
  const { services } = parse(compose?.text ?? "", { logLevel: "silent" }) as ComposeFile;
  return { services, nginx: files.find(({ path }) => path === "gateway/nginx.conf")?.text ?? "" };
}

const NODE = ["node.hostname == forge-1"];
const FOLDER = { registry: { placement: { constraints: NODE } } };

test.each([
  ["a folder", FOLDER],
  [
    "a folder, with the same placement for both",
    { ...FOLDER, gateway: { placement: { constraints: NODE } } },
  ],
  ["a folder, without Traefik", { ...FOLDER, expose: "ports" }],
])("reads them with %s: beside the registry, as its user, read-only, and without a reader", (_, config) => {
  const { services } = rendered(config);
  const { gateway, registry } = services;
  expect(services.reader).toBeUndefined();
  expect(gateway?.user).toBe(registry?.user);
  expect(gateway?.deploy.placement).toEqual(registry?.deploy.placement);
  expect(gateway?.volumes).toContainEqual({
    type: "bind",
    source: "/mnt/storage/registry",
    target: "/var/lib/registry",
    read_only: true,
  });
  for (const { uid, gid } of gateway?.secrets ?? []) expect(`${uid}:${gid}`).toBe(registry?.user);
});

test.each([
  ["a bucket", { registry: { image: "registry:3.1.2", storage: { driver: "s3", bucket: "images" } } }],
  ["a cache", { ...FOLDER, gateway: { cache: "1G" } }],
  [
    "gateways on other nodes",
    { ...FOLDER, gateway: { placement: { constraints: ["node.role == worker"] } } },
  ],
  ["gateways that spread", { ...FOLDER, gateway: { placement: { spread: ["node.labels.zone"] } } }],
  ["one gateway on each node", { ...FOLDER, gateway: { placement: { maxReplicasPerNode: 1 } } }],
])("does not with %s: a reader does", (_, config) => {
  const { services } = rendered(config);
  expect(services.reader).toBeDefined();
  expect(services.gateway?.user).toBe("65532:65532");
  expect(services.gateway?.volumes?.filter(({ type }) => type === "bind")).toEqual([]);
});

test("runs as root where the files are root's, with what nginx then needs", () => {
  const { services, nginx } = rendered({ registry: { user: "0:0" } });
  expect([services.gateway?.user, services.gateway?.cap_add]).toEqual(["0:0", ["SETGID"]]);
  expect(nginx).toContain("\nuser root;\n");
  const usual = rendered({});
  expect(usual.services.gateway?.cap_add).toBeUndefined();
  expect(usual.nginx).not.toContain("user root");
});

test.each([
  [{ registry: { pull: "authenticated" }, ui: { access: "sso" } }, ["library"]],
  [{}, undefined],
  [
    { registry: { pull: "authenticated" }, access: [{ repositories: ["a/**"], pull: "anonymous" }] },
    undefined,
  ],
  [{ registry: { pull: "authenticated" }, ui: { access: "sso" }, gateway: { cache: "1G" } }, undefined],
])("the library of %j has the secrets %j", (config, expected) => {
  expect(rendered(config).services["registry-ui"]?.secrets?.map(({ source }) => source)).toEqual(expected);
});
