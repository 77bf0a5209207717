import { readFile, writeFile } from "node:fs/promises";
import { request } from "node:http";
import { createServer } from "node:https";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { selfSigned } from "../support/selfSigned.js";
import { ask, type Endpoint } from "./attacks/raw.js";
import { Target } from "./attacks/target.js";
import { listen } from "./doctor/fakes.js";
import { type Changes, CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/**
 * A Traefik that wants a label of its services, behind a tunnel that ends TLS on another port, on nodes with a small
 * MTU. There is no Traefik and no tunnel here: a relay ends TLS in their place and sends plain HTTP to the gateway.
 */

const swarm = useSwarm();
const NETWORK = "edge-net";
const HOST = "registry.edge.example";
const PORT = 8443;
const AUTHORITY = `${HOST}:${PORT}`;
const PROXY = "172.20.0.5/32";
const MTU = 1420;
const VXLAN = 50;
const LABEL = { "traefik.constraint-label": "traefik-public" };

let target: Target;
let forge: Workspace;
/** What is undone at the end, whatever happens. */
const closing: Array<() => unknown> = [];

const config = (networks: object, traefik: object = {}): Changes => ({
  root: {
    expose: "traefik",
    domain: "edge.example",
    traefik: { network: NETWORK, tls: false, proxies: [PROXY], publicPort: PORT, labels: LABEL, ...traefik },
    networks,
  },
  // doctor warns of line 2.
  registry: { image: swarm.images.registry3 },
  ui: { enabled: false },
});

async function render(changes: Changes): Promise<void> {
  await writeConfig(forge, swarm, changes);
  const run = await forge.hephaestus(["render"]);
  expectOk(run);
}

/** @returns what it says */
async function deploy(env = {}): Promise<string> {
  const run = await forge.hephaestus([...DEPLOY, "--no-verify"], { env });
  expectOk(run);
  return run.all;
}

beforeAll(async () => {
  forge = await Workspace.create("edge", 5000, 8080);
  target = Target.of(forge, swarm);
  await target.docker("network", "create", "--driver", "overlay", "--attachable", NETWORK);
  await render(config({ mtu: MTU }));
  await deploy(CREDENTIALS);
});

afterAll(async () => {
  for (const close of closing.reverse()) await close();
  await target?.destroy([NETWORK]);
});

/** MTUs of the gateway's interfaces, but for loopback. */
async function mtus(): Promise<number[]> {
  const { pid } = await target.container("gateway");
  const run = await forge.run("nsenter", ["-t", String(pid), "-n", "ip", "-o", "link"]);
  expectOk(run);
  const lines = run.stdout.split("\n").filter((line) => line !== "" && !/^\d+: lo:/.test(line));
  return lines.map((line) => Number(/ mtu (\d+) /.exec(line)?.[1])).sort();
}

/** The way into the gateway's container that runs, from its own network. */
let inside: { id: string; endpoint: Endpoint };
async function gatewayEndpoint(): Promise<Endpoint> {
  const { id, address: host } = await target.container("gateway");
  if (inside?.id !== id) {
    const [endpoint] = await target.endpointsFrom("gateway", [{ name: "gateway", host, port: 5000 }]);
    inside = { id, endpoint: endpoint as Endpoint };
  }
  return inside.endpoint;
}

/** Ends TLS where the world sees the registry, and tells what a Traefik on plain HTTP would. */
async function startTunnel(): Promise<() => void> {
  const { path: socketPath } = (await gatewayEndpoint()).to as { path: string };
  const day = 86_400_000;
  const certificate = selfSigned([HOST], new Date(Date.now() - day), new Date(Date.now() + 60 * day));
  const server = createServer(certificate, (from, to) => {
    const headers = { ...from.headers, "x-forwarded-proto": "http", "x-forwarded-for": "203.0.113.5" };
    const onward = request({ socketPath, method: from.method, path: from.url, headers }, (answer) => {
      to.writeHead(answer.statusCode ?? 502, answer.headers);
      answer.pipe(to);
    });
    onward.on("error", () => to.destroy());
    from.pipe(onward);
  });
  await listen(server, PORT);
  await writeFile(`${forge.folder}/authority.pem`, certificate.cert);
  return () => server.close();
}

/** The registry's name leads to this machine while the work is done; only the tests see it. */
async function withName<T>(work: () => Promise<T>): Promise<T> {
  await writeFile(`${forge.folder}/hosts`, `127.0.0.1 localhost ${HOST}\n`);
  expectOk(await forge.run("mount", ["--bind", `${forge.folder}/hosts`, "/etc/hosts"]));
  const close = await startTunnel();
  try {
    return await work();
  } finally {
    close();
    await forge.run("umount", ["/etc/hosts"]);
  }
}

/** Docker takes an address of this machine without a trusted certificate, but not without TLS on this port. */
const client = (args: string[], input = "") =>
  forge.run("docker", ["--config", `${forge.folder}/client`, ...args], { input });

/** The engine reads /etc/hosts again after 5 seconds only (Go's net package, cacheMaxAge), so it may not know the name yet. */
const logIn = () =>
  expect
    .poll(() => client(["login", "-u", USER, "--password-stdin", AUTHORITY], PASSWORD), { interval: 1000 })
    .toMatchObject({ exitCode: 0 });

test("the labels that were asked for, and no TLS on the router, reach the Swarm", async () => {
  const format = ["--format", "{{json .Spec.Labels}}"];
  const labels = JSON.parse(await target.docker("service", "inspect", ...format, "edge_gateway")) as object;
  expect(labels).toMatchObject({
    ...LABEL,
    "traefik.http.routers.edge-registry.entrypoints": "web",
    "traefik.http.routers.edge-registry.rule": `Host(\`${HOST}\`)`,
  });
  expect(Object.keys(labels).filter((label) => /routers\.[^.]+\.tls/.test(label))).toEqual([]);
});

test("the MTU reaches the network and the containers, which get VXLAN's share less", async () => {
  const format = ["--format", "{{json .Options}}"];
  const options = JSON.parse(await target.docker("network", "inspect", ...format, "edge_internal")) as object;
  expect(options).toMatchObject({ "com.docker.network.driver.mtu": String(MTU) });
  // The others are Traefik's network, and the bridge to the outside.
  expect(await mtus()).toEqual([MTU - VXLAN, 1450, 1500]);
});

test("a client in a private network does not choose its address", async () => {
  const endpoint = await gatewayEndpoint();
  const chains = {
    "/v2/behind/tags/list": "9.9.9.9, 192.168.7.7, 172.20.0.5",
    "/v2/beside/tags/list": "9.9.9.9, 192.168.7.8",
  };
  for (const [path, chain] of Object.entries(chains))
    await ask(endpoint, "GET", path, [`X-Forwarded-For: ${chain}`]);
  const log = () => target.log("gateway");
  await expect.poll(log, { interval: 200 }).toMatch(/^192\.168\.7\.8 .*"GET \/v2\/beside\/tags\/list"/m);
  expect(await log()).toMatch(/^192\.168\.7\.7 .*"GET \/v2\/behind\/tags\/list"/m);
});

test("docker logs in, pushes and pulls through a tunnel that ends TLS on another port", async () => {
  await withName(async () => {
    const name = `${AUTHORITY}/tools/hello:1`;
    await target.docker("tag", swarm.images.hello, name);
    closing.push(() => forge.docker("rmi", name));
    await logIn();
    const push = await client(["push", name]);
    expectOk(push);
    await target.docker("rmi", name);
    const logout = await client(["logout", AUTHORITY]);
    expectOk(logout);
    const pull = await client(["pull", name]);
    expectOk(pull);
  });
});

test("realm and upload addresses name the public port and https, and doctor finds the front door sound", async () => {
  await withName(async () => {
    const ask = async (...args: string[]) => {
      const trust = ["--cacert", `${forge.folder}/authority.pem`];
      const run = await forge.run("curl", ["--silent", "--include", ...trust, ...args]);
      expectOk(run);
      return run.stdout;
    };
    expect(await ask(`https://${AUTHORITY}/v2/`)).toContain(
      `Bearer realm="https://${AUTHORITY}/auth/token",service="${AUTHORITY}"`,
    );
    const login = ["--user", `${USER}:${PASSWORD}`, "--request", "POST"];
    expect(await ask(...login, `https://${AUTHORITY}/v2/a/blobs/uploads/`)).toMatch(
      new RegExp(`^location: https://${HOST}:${PORT}/v2/a/blobs/uploads/`, "im"),
    );
    const env = { NODE_EXTRA_CA_CERTS: `${forge.folder}/authority.pem` };
    const run = await forge.hephaestus(["doctor", "--json"], { env });
    const { findings, checked } = JSON.parse(run.stdout) as { findings: object[]; checked: string[] };
    expect(findings).toEqual([]);
    expect(checked).toEqual(expect.arrayContaining(["certificates", "MTU between the nodes"]));
    const status = await forge.hephaestus(["status", "--json", "--no-verify"]);
    expect(JSON.parse(status.stdout)).toMatchObject({ registry: `https://${AUTHORITY}` });
  });
});

test("doctor reads the constraint and the ports of Traefik's own service", async () => {
  const image = "traefik:v3.6";
  await target.docker("tag", swarm.images.hello, image);
  closing.push(() => forge.docker("rmi", image));
  await target.docker(
    ...["service", "create", "--detach", "--no-resolve-image", "--name", "front_traefik", "--replicas", "0"],
    ...["--network", NETWORK, "--publish", `published=${PORT},target=80`, image],
    ...["--providers.swarm.endpoint=unix:///var/run/docker.sock", "--entryPoints.web.address=:80"],
    "--entryPoints.web.transport.respondingTimeouts.readTimeout=0s",
    "--providers.swarm.constraints=Label(`traefik.constraint-label`, `inner`)",
  );
  closing.push(() => forge.docker("service", "rm", "front_traefik"));
  const findings = async () => {
    const run = await forge.hephaestus(["doctor", "--json", "--no-verify"]);
    return (JSON.parse(run.stdout) as { findings: Array<Record<"code" | "evidence" | "remedy", string>> })
      .findings;
  };
  const found = await findings();
  expect(found.map(({ code }) => code)).toEqual(["traefik-constraint", "clients-share-address"]);
  expect(found[0]?.remedy).toContain("traefik.constraint-label: inner");
  expect(found[1]?.evidence).toContain(`publishes ${PORT} in mode ingress`);
  // A new config begins with what runs here.
  const init = await forge.hephaestus(["init", "--yes", "--domain", "edge.example", "--output", "new"]);
  expectOk(init);
  expect(init.stdout).toContain(`found Traefik, as the service front_traefik: version 3, network ${NETWORK}`);
  expect(init.stdout).toContain("a registry of hephaestus, as the stack edge");
  const { traefik } = parse(await readFile(`${forge.folder}/new/hephaestus.yaml`, "utf8"));
  expect(traefik).toMatchObject({ network: NETWORK, labels: { "traefik.constraint-label": "inner" } });
  await target.docker(
    ...["service", "update", "--detach", "--no-resolve-image", "--publish-rm", "80"],
    ...["--publish-add", `mode=host,published=${PORT},target=80`, "front_traefik"],
  );
  await render(config({ mtu: MTU }, { labels: { "traefik.constraint-label": "inner" } }));
  await deploy();
  expect((await findings()).map(({ code }) => code)).toEqual([]);
});

test("a network that exists keeps its MTU: deploy, diff and doctor say so, and what they say helps", async () => {
  await render(config({ mtu: 1380 }));
  const words = /edge_internal is MTU 1420; the config says MTU 1380/;
  expect((await forge.hephaestus(["diff"])).all).toMatch(words);
  const doctor = await forge.hephaestus(["doctor", "--no-verify"]);
  expect(doctor.all).toMatch(words);
  expect(await deploy()).toMatch(words);
  expect(await mtus()).toContain(MTU - VXLAN);

  await target.docker("stack", "rm", "edge");
  const left = async () =>
    (await target.docker("network", "ls", "--quiet", "--filter", "name=edge_internal")).trim();
  await expect.poll(left, { timeout: 60_000, interval: 500 }).toBe("");
  await deploy();
  expect(await mtus()).toEqual([1380 - VXLAN, 1450, 1500]);
  expect((await forge.hephaestus(["diff"])).all).not.toMatch(/edge_internal is/);
  await withName(async () => {
    await logIn();
    const pull = await client(["pull", `${AUTHORITY}/tools/hello:1`]);
    expectOk(pull);
  });
});
