import { expect, test } from "vitest";
import { foundIn, lookAtSwarm, type SwarmSight } from "../../src/commands/initFound.js";
import { initialConfig } from "../../src/config/initialConfig.js";
import { loadConfig } from "../../src/config/load.js";
import type { EngineNetwork, SwarmNode, SwarmService } from "../../src/swarm/objects.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { node } from "./swarmObjects.js";

/** What init offers as the defaults of its questions, by what runs in the Swarm. */

interface Running {
  image: string;
  args?: string[];
  env?: string[];
  networks?: string[];
  labels?: Record<string, string>;
  port?: [published: number, target: number];
}

const running = (Name: string, { image, args, env, networks = [], labels = {}, port }: Running) =>
  ({
    ID: Name,
    Version: { Index: 1 },
    Spec: {
      Name,
      Labels: labels,
      Mode: {},
      TaskTemplate: {
        ContainerSpec: { Image: image, ...(args && { Args: args }), ...(env && { Env: env }) },
        Networks: networks.map((Target) => ({ Target })),
      },
      EndpointSpec: { Ports: port ? [{ PublishedPort: port[0], TargetPort: port[1] }] : [] },
    },
  }) as SwarmService;

const NETWORKS = ["proxy", "socket"].map(
  (Name) => ({ Id: `id-${Name}`, Name, Scope: "swarm", Driver: "overlay" }) as EngineNetwork,
);

const see = (services: SwarmService[], more: Partial<SwarmSight> = {}) =>
  foundIn({ services, networks: NETWORKS, nodes: [node("n1")], nodeId: "n1", hasIpvs: true, ...more });

const TRAEFIK: Running = {
  image: "traefik:v3.6@sha256:abc",
  args: [
    "--providers.swarm.endpoint=tcp://socket:2375",
    "--providers.swarm.constraints=Label(`traefik.constraint-label`, `traefik-public`) && Label(`traefik.enable`, `true`)",
    "--entryPoints.plain.address=:80",
    "--entryPoints.Secure.address=:8443/tcp",
    "--certificatesResolvers.leDns.acme.email=a@a.example",
    "--certificatesResolvers.leDns.acme.storage=/acme.json",
  ],
  networks: ["id-socket", "id-proxy"],
  port: [443, 8443],
};
const APP = running("app", { image: "app:1", networks: ["id-proxy"] });
const edge = (changes: Partial<Running> = {}) => running("edge_traefik", { ...TRAEFIK, ...changes });

const LABELS = { "traefik.constraint-label": "traefik-public" };

test("Traefik's line, network, entrypoint, resolver and constraint are taken from its service", () => {
  const { answers, settings, notes } = see([APP, edge()]);
  expect(answers).toEqual({ traefikVersion: 3, traefikNetwork: "proxy" });
  expect(settings).toEqual({ traefik: { entrypoint: "Secure", certResolver: "leDns", labels: LABELS } });
  expect(notes).toEqual([
    "Traefik, as the service edge_traefik: version 3, network proxy, entrypoint Secure, certResolver leDns, label traefik.constraint-label=traefik-public",
  ]);
});

test.each<[string, SwarmService[], object, object]>([
  ["nothing of a Swarm without one", [APP], {}, {}],
  [
    "the network of its provider",
    [APP, edge({ args: ["--providers.swarm.network=edge"] })],
    { traefikVersion: 3, traefikNetwork: "edge" },
    {},
  ],
  [
    "line 2 by its provider, whatever its tag says",
    [APP, edge({ image: "mirror.example/traefik:latest", args: ["--providers.docker.swarmMode=true"] })],
    { traefikVersion: 2, traefikNetwork: "proxy" },
    {},
  ],
  [
    "line 2 by its tag, if a file has its settings",
    [APP, edge({ image: "traefik:v2.11", args: ["--configFile=/etc/traefik.yml"] })],
    { traefikVersion: 2, traefikNetwork: "proxy" },
    {},
  ],
  [
    "variables",
    [
      APP,
      edge({
        args: [],
        env: [
          "TRAEFIK_PROVIDERS_SWARM=true",
          "TRAEFIK_ENTRYPOINTS_HTTPS_ADDRESS=:8443",
          "TRAEFIK_CERTIFICATESRESOLVERS_LE_ACME_EMAIL=a@a.example",
        ],
      }),
    ],
    { traefikVersion: 3, traefikNetwork: "proxy" },
    { entrypoint: "https", certResolver: "le" },
  ],
  [
    "the one with port 443 of two, and no resolver of several",
    [
      APP,
      running("a_traefik", { image: "traefik:v2.11", port: [8080, 80] }),
      edge({
        args: [
          "--providers.swarm",
          "--entrypoints.websecure.address=:8443",
          "--certificatesresolvers.a.acme.email=a",
          "--certificatesresolvers.b.acme.email=b",
        ],
      }),
    ],
    { traefikVersion: 3, traefikNetwork: "proxy" },
    {},
  ],
  [
    "the resolver of its entrypoint of several",
    [
      APP,
      edge({
        args: [
          "--providers.swarm",
          "--entrypoints.websecure.address=:8443",
          "--entrypoints.websecure.http.tls.certresolver=b",
          "--certificatesresolvers.a.acme.email=a",
          "--certificatesresolvers.b.acme.email=b",
        ],
      }),
    ],
    { traefikVersion: 3, traefikNetwork: "proxy" },
    { certResolver: "b" },
  ],
])("of Traefik, init takes %s", (_name, services, answers, traefik) => {
  const found = see(services);
  expect(found.answers).toEqual(answers);
  expect(found.settings.traefik ?? {}).toEqual(traefik);
});

const ADDRESS = "http://authelia:9091/api/authz/forward-auth";
const autheliaWith = (labels: Record<string, string>) =>
  running("auth_authelia", { image: "authelia/authelia:4.39", labels });
const middleware = (name: string, address = ADDRESS) => ({
  [`traefik.http.middlewares.${name}.forwardAuth.address`]: address,
});

test.each([
  ["its middleware", [edge(), autheliaWith(middleware("sso"))], "sso@swarm"],
  [
    "the usual name of two",
    [edge(), autheliaWith({ ...middleware("authelia-basic"), ...middleware("authelia") })],
    "authelia@swarm",
  ],
  [
    "the provider of Traefik 2",
    [edge({ args: ["--providers.docker.swarmMode"] }), autheliaWith(middleware("authelia"))],
    "authelia@docker",
  ],
  ["nothing without a middleware", [edge(), autheliaWith({})], undefined],
  ["nothing of another one", [edge(), autheliaWith(middleware("other", "http://oauth2:4180/"))], undefined],
])("of Authelia, init takes %s", (_name, services, name) => {
  const { answers, settings } = see(services);
  expect([answers.ui, settings.authelia?.middleware]).toEqual(name ? ["sso", name] : [undefined, undefined]);
});

test("of several managers the one that answers is offered first, and of one none is named", () => {
  const worker = { ...node("n3"), Spec: { ...node("n3").Spec, Role: "worker" } };
  const away: SwarmNode = { ...node("n0"), Status: { State: "down" } };
  const nodes = [away, node("n1"), worker, node("n2")];
  expect(see([], { nodes, nodeId: "n2" })).toMatchObject({
    answers: { node: "host-n2" },
    nodes: ["host-n2", "host-n1", "host-n3"],
  });
  expect(see([], { nodes: [node("n1"), worker] })).toMatchObject({
    answers: {},
    nodes: ["host-n1", "host-n3"],
  });
});

test("a kernel without IPVS gets dnsrr; one that is not known does not", () => {
  expect(see([], { hasIpvs: false }).settings.swarm).toEqual({ endpointMode: "dnsrr" });
  for (const hasIpvs of [true, undefined])
    expect(see([], { hasIpvs })).toMatchObject({ settings: {}, notes: [] });
});

test("a registry that is there is named, with the way to keep it", () => {
  const labels = { "com.docker.stack.namespace": "old" };
  const notes = (image: string, more: Record<string, string> = {}) =>
    see([running("old_registry", { image, labels: { ...labels, ...more } })]).notes.join("\n");
  expect(notes("registry:2.8@sha256:abc")).toMatch(/service old_registry.*hephaestus adopt old$/);
  expect(notes("registry:3", { "hephaestus.stack": "old" })).toMatch(/of hephaestus, as the stack old/);
  expect(notes("joxit/docker-registry-ui:2")).toBe("");
});

test("what is found makes a config that loads, and Authelia only if its UI is behind it", () => {
  const { answers, settings } = see([APP, edge(), autheliaWith(middleware("sso"))], { hasIpvs: false });
  const write = (ui: "sso" | "none") =>
    initialConfig({
      ...{ domain: "a.example", storagePath: "/srv/images", traefikVersion: 3, traefikNetwork: "x" },
      ...answers,
      ui,
      found: settings,
    });
  const { config } = loadConfig(write("sso"), "f", {});
  expect(config).toMatchObject({
    traefik: { version: 3, network: "proxy", entrypoint: "Secure", certResolver: "leDns", labels: LABELS },
    authelia: { middleware: "sso@swarm" },
    swarm: { endpointMode: "dnsrr" },
  });
  expect(write("none")).not.toContain("authelia:");
});

test("nothing is found if docker does not reach a manager", async () => {
  const silent = new FakeEngine();
  silent.silent = true;
  const worker = new FakeEngine({ nodes: [node("n1")] });
  worker.swarm.ControlAvailable = false;
  for (const engine of [silent, worker])
    expect(await lookAtSwarm(engine.docker())).toEqual({ answers: {}, settings: {}, nodes: [], notes: [] });
});
