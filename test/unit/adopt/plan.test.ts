/** Twelve stacks as people publish them, and what hephaestus.yaml keeps of each. */
import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { parse } from "yaml";
import { adoptedText, planLines, settled } from "../../../src/adopt/adoptedConfig.js";
import { fromCompose } from "../../../src/adopt/composeFile.js";
import { type AdoptPlan, isRegistry, isUi, planAdoption } from "../../../src/adopt/plan.js";
import type { Surroundings } from "../../../src/adopt/surroundings.js";
import { loadConfig } from "../../../src/config/load.js";
import { publicUrls, storagePlace } from "../../../src/config/resolve.js";

const stacks = fileURLToPath(new URL("stacks/", import.meta.url));
const files = readdirSync(stacks).filter((name) => /^\d/.test(name));
const text = (name: string) => readFileSync(`${stacks}${name}`, "utf8");

function plan(start: string, surroundings: Partial<Surroundings> = {}): AdoptPlan {
  const file = files.find((name) => name.startsWith(start)) ?? "";
  const services = fromCompose(text(file), "old", { DOMAIN_NAME: "forge.example" }, "/stacks");
  const registry = services.find(isRegistry);
  if (registry === undefined) throw new Error(`${file} has no registry`);
  return settled(planAdoption(registry, services.find(isUi), { stack: "forge", ...surroundings }));
}

const left = ({ leftOut }: AdoptPlan) => leftOut.map(({ what }) => what);
const configOf = (adopted: AdoptPlan) => loadConfig(adoptedText(adopted), "hephaestus.yaml", {}).config;

test("there are twelve, and of each that is adopted the config is one that deploys", () => {
  expect(files).toHaveLength(12);
  for (const file of files) {
    const adopted = plan(file.slice(0, 2));
    if (adopted.refused.length === 0 && adopted.toDo.length === 0) configOf(adopted);
  }
});

test("no secret is in a plan, a config or a message", () => {
  for (const file of files) {
    const adopted = plan(file.slice(0, 2));
    const shown = [...planLines(adopted), adopted.refused.length > 0 ? "" : adoptedText(adopted)].join("\n");
    expect(shown, file).not.toMatch(/not-to-be-shown|notARealHash|Zm9yZ2U6YW52aWw|AKIANOTREAL/);
  }
});

test("the mission's own: hosts, folder, users, Traefik, Authelia, image, delete switch, node, title", () => {
  const adopted = plan("01");
  expect(adopted).toMatchObject({
    services: ["old_registry", "old_registry-ui"],
    users: { from: "the secret registry_htpasswd", path: "/run/secrets/registry_htpasswd" },
    toDo: [],
    refused: [],
  });
  const config = configOf(adopted);
  expect(publicUrls(config)).toMatchObject({
    registry: "https://registry.forge.example",
    ui: "https://registry-ui.forge.example",
  });
  expect(config).toMatchObject({
    stack: "forge",
    registry: {
      image: "registry:2.8",
      pull: "authenticated",
      delete: true,
      storage: { driver: "filesystem", path: "/mnt/storage/registry" },
      placement: { constraints: ["node.role == manager"] },
    },
    ui: { image: "joxit/docker-registry-ui:2.5.7", title: "Forge", access: "sso" },
    traefik: { version: 3, network: "aether-net", entrypoint: "websecure", certResolver: "letsencrypt" },
    authelia: { middleware: "authelia@swarm" },
  });
  expect(left(adopted)).toEqual([
    "REGISTRY_HTTP_HEADERS_Access-Control-Allow-Origin",
    "the login in the environment of the UI",
    "DELETE_IMAGES of the UI",
  ]);
});

test("a named volume, a user, a node by label, another host name, and the labels of a constraint", () => {
  const adopted = plan("02");
  expect(adopted.users).toEqual({ from: "the folder or file /srv/registry/auth", path: "/auth/htpasswd" });
  const config = configOf(adopted);
  expect(storagePlace(config)).toBe("the volume old_data");
  expect(config).toMatchObject({
    registry: {
      host: "hub.example.com",
      user: "1000:1000",
      placement: { constraints: ["node.labels.registry.data==true"] },
    },
    ui: { enabled: false },
    traefik: {
      version: 2,
      network: "traefik-public",
      entrypoint: "https",
      certResolver: "le",
      middlewares: ["secure-headers@file"],
      labels: { "traefik.constraint-label": "traefik-public" },
      routerLabels: { "tls.options": "modern@file" },
    },
  });
  expect(left(adopted)).toEqual(["the published port 5000", "REGISTRY_HTTP_SECRET"]);
});

test("a config file says what the environment does not, and ports are kept without Traefik", () => {
  const adopted = plan("03", { configText: text("../stacks/config.yml"), domain: "forge.lan" });
  expect(adopted.users).toEqual({ from: "the config registry-users", path: "/etc/distribution/htpasswd" });
  expect(configOf(adopted)).toMatchObject({
    domain: "forge.lan",
    expose: "ports",
    ports: { registry: 5000 },
    registry: {
      image: "registry:3.0.0",
      version: 3,
      delete: true,
      storage: { volume: "registry_images" },
      env: { REGISTRY_LOG_LEVEL: "debug" },
    },
  });
});

test("an htpasswd in the environment is read in the task, and never shown", () => {
  const adopted = plan("04");
  expect(adopted.users?.path).toBe("/htpasswd");
  expect(left(adopted)).toEqual(["registry.env.HTPASSWD"]);
  expect(storagePlace(configOf(adopted))).toBe("/data/registry");
});

test("S3 by the environment keeps the bucket and what is in it, with a registry that lists it rightly", () => {
  const adopted = plan("05");
  expect(configOf(adopted).registry).toMatchObject({
    image: "registry:3.1.2",
    storage: {
      driver: "s3",
      bucket: "images",
      region: "eu-central-1",
      endpoint: "https://s3.example.com",
      prefix: "forge",
    },
  });
  expect(left(adopted).join()).toContain("REGISTRY_STORAGE_S3_SECRETKEY");
});

test.each([
  ["06", "REGISTRY_AUTH=token"],
  ["07", "a pull-through cache of registry-1.docker.io"],
  ["12", "inside the task"],
])("stack %s is refused with a reason: %s", (start, reason) => {
  expect(plan(start).refused.join()).toContain(reason);
});

test("Portainer: its label is named, and a UI of another make is replaced", () => {
  const adopted = plan("08");
  expect(adopted.users).toBeUndefined();
  expect(configOf(adopted)).toMatchObject({
    ports: { registry: 5001, ui: 8081 },
    registry: { pull: "anonymous", storage: { volume: "old_registry_data" } },
    ui: { enabled: true },
  });
  expect(left(adopted)).toEqual([
    "the label io.portainer.accesscontrol.teams",
    "the image konradkleine/docker-registry-frontend:v2",
  ]);
});

test("Dokploy: the router with TLS counts, its own label stays, and the Traefik that runs says its line", () => {
  expect(configOf(plan("09", { traefik: 3 }))).toMatchObject({
    domain: "apps.example.com",
    registry: { host: "cr.apps.example.com" },
    traefik: { version: 3, network: "dokploy-network", labels: { "dokploy.project": "registry" } },
  });
});

test("middlewares that old labels define, and a path in a rule, are named and left", () => {
  const adopted = plan("10");
  expect(left(adopted)).toEqual([
    "the middleware reg-auth (basicauth)",
    "the middleware big (buffering)",
    "the rule Host(`registry.example.com`) && PathPrefix(`/v2`)",
  ]);
  expect(configOf(adopted).registry).toMatchObject({
    storage: { path: "/data/registry/images" },
    env: { REGISTRY_LOG_LEVEL: "info", TZ: "Europe/Berlin" },
  });
});

test("TLS that ends before Traefik needs a word of a person, and what is no setting of ours is named", () => {
  const adopted = plan("11");
  expect(adopted.toDo.join()).toContain("traefik.proxies");
  expect(adopted.config).toMatchObject({
    traefik: { tls: false, routerLabels: { priority: "50" } },
    registry: { env: { REGISTRY_STORAGE_FILESYSTEM_MAXTHREADS: "50", REGISTRY_HTTP_RELATIVEURLS: "true" } },
  });
  expect(left(adopted)).toEqual([
    "the host name hub.example.com",
    "REGISTRY_REDIS_ADDR",
    "REGISTRY_NOTIFICATIONS_ENDPOINTS",
    "REGISTRY_HTTP_HOST",
    "registry.env.S3_TOKEN",
  ]);
});

describe("what runs without constraints", () => {
  test("stays on its node, if there are several", () => {
    expect(configOf(plan("08", { node: "forge-2" })).registry.placement.constraints).toEqual([
      "node.hostname == forge-2",
    ]);
  });

  test("names of services resolve as they did", () => {
    expect(configOf(plan("08", { dnsrr: true })).swarm.endpointMode).toBe("dnsrr");
  });
});

test("what is written says what was left, and is YAML in spite of it", () => {
  const written = adoptedText(plan("01"));
  expect(written).toContain("# Not carried: DELETE_IMAGES of the UI: ");
  expect(parse(written)).toMatchObject({ stack: "forge" });
});
