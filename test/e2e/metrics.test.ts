import { readFileSync } from "node:fs";
import { chmod, mkdir, readFile, statfs, writeFile } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { parse } from "yaml";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import { selfSigned } from "../support/selfSigned.js";
import { addressForTasks, addressOfContainer } from "./addresses.js";
import { Target } from "./attacks/target.js";
import { alertTests, testedAlerts, withoutAnnotations } from "./metrics/alertTests.js";
import { Monitor, program, type Sample } from "./metrics/monitor.js";
import { type Asked, TlsEndpoint } from "./metrics/tlsEndpoint.js";
import { CREDENTIALS, DEFAULT_TIMES, DEPLOY, PASSWORD, USER, WITH_READER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** A real Prometheus looks at a stack whose services have two tasks each, and every fault that it shall notice is made. */

const swarm = useSwarm();
const STACK = "eyes";
const NETWORK = "monitoring";
const PORT = 8443;
const HOSTS = ["registry.forge.example", "registry-ui.forge.example"] as const;
const DISK = 64 * 1024 * 1024;
const DAY = 86_400_000;
const inDays = (days: number) =>
  selfSigned(HOSTS, new Date(Date.now() - DAY), new Date(Date.now() + days * DAY));
const [sound, ending] = [inDays(60), inDays(10)];
const authorization = basicValue(USER, PASSWORD);

let target: Target;
let forge: Workspace;
let monitor: Monitor;
let endpoint: TlsEndpoint;
let traffic: NodeJS.Timeout;

beforeAll(async () => {
  forge = await Workspace.create(STACK, 5000, 8080);
  target = Target.of(forge, swarm);
  await mkdir(target.storage);
  await forge.run("mount", ["-t", "tmpfs", "-o", `size=${DISK}`, "tmpfs", target.storage]);
  await forge.docker("network", "create", "--driver", "overlay", "--attachable", "aether-net");
  await configure(swarm.images.registry);
});

afterAll(async () => {
  clearInterval(traffic);
  monitor?.stop();
  endpoint?.close();
  await forge?.run("umount", ["--lazy", target.storage]);
  await target?.destroy(["aether-net", NETWORK]);
});

async function configure(registry: string): Promise<void> {
  const host = await addressForTasks();
  await writeConfig(forge, swarm, {
    root: {
      expose: "traefik",
      domain: "forge.example",
      traefik: { publicPort: PORT },
      metrics: {
        enabled: true,
        network: NETWORK,
        nodeExporters: [`${host}:9100`],
        blackboxExporter: `${host}:9115`,
      },
      // Nine tasks, of which none is replaced.
      swarm: DEFAULT_TIMES,
    },
    registry: {
      image: registry,
      replicas: 2,
      storage: { driver: "filesystem", path: target.storage, shared: true },
    },
    gateway: { replicas: 2, ...WITH_READER },
  });
  expectOk(await forge.hephaestus(["render"]));
}

const deploy = () => forge.hephaestus([...DEPLOY, "--no-verify"], { env: CREDENTIALS });

async function openEndpoint(): Promise<void> {
  const behind = async (service: string, port: number) =>
    Promise.all(
      (await target.containers(service)).map(async (id) => `${await addressOfContainer(forge, id)}:${port}`),
    );
  const tasks = [await behind("gateway", 5000), await behind("registry-ui", 80)] as const;
  endpoint = await TlsEndpoint.open(
    PORT,
    sound,
    new Map(HOSTS.map((host, index) => [host, tasks[index] ?? []])),
  );
}

const outside = (host: string, path: string, asked?: Asked) => endpoint.ask(host, path, asked);

/** One of each kind of request. */
const visit = () =>
  Promise.all([
    outside(HOSTS[0], "/v2/a/manifests/latest"),
    outside(HOSTS[0], "/v2/a/tags/list"),
    outside(HOSTS[0], "/v2/"),
    outside(HOSTS[0], "/v2/a/blobs/uploads/", { method: "POST", headers: { authorization } }),
  ]);

/** Asks from a container with busybox's wget: the answer, or why there is none. */
async function from(container: string, url: string): Promise<string> {
  const run = await forge.docker("exec", container, "wget", "-q", "-O", "-", `http://${url}`);
  return run.exitCode === 0 ? run.stdout : run.all;
}

const NOT_FOUND = /404 Not Found/;
const monitorName = `${STACK}-monitor`;

test("a network that is missing is found before anything is changed", async () => {
  const run = await deploy();
  expect(run.exitCode, run.all).toBe(ExitCode.preflight);
  expect(run.all).toContain(`the network ${NETWORK} does not exist`);
  expect(run.all).toContain("metrics.network");
  await forge.docker("network", "create", "--driver", "overlay", "--attachable", NETWORK);
  const again = await deploy();
  expectOk(again);
});

test("promtool finds nothing wrong with the rendered files, and each alert fires after its time and not before", async () => {
  const promtool = (...args: string[]) => forge.run(program("promtool"), args);
  const folder = `${forge.folder}/monitoring`;
  for (const check of [
    ["check", "config", "--lint-fatal", `${folder}/prometheus.yml`],
    ["check", "rules", "--lint-fatal", `${folder}/alerts.yml`],
  ]) {
    const run = await promtool(...check);
    expectOk(run);
  }
  const tests = `${forge.folder}/alert-tests`;
  await mkdir(tests);
  const rules = await readFile(`${folder}/alerts.yml`, "utf8");
  await writeFile(`${tests}/alerts.yml`, withoutAnnotations(rules));
  await writeFile(`${tests}/tests.yml`, alertTests(STACK, target.storage));
  const run = await promtool("test", "rules", `${tests}/tests.yml`);
  expectOk(run);
  expect(new Set(testedAlerts(STACK))).toEqual(new Set(alertNames(rules)));
});

const alertNames = (rules: string): string[] =>
  (parse(rules) as { groups: Array<{ rules: Array<{ alert?: string }> }> }).groups.flatMap((group) =>
    group.rules.flatMap(({ alert }) => alert ?? []),
  );

test("Prometheus scrapes each task by itself, and what two tasks count is not mixed", async () => {
  await openEndpoint();
  monitor = await Monitor.start(target, NETWORK, swarm.images.nginx);
  const host = await addressForTasks();
  monitor.startNodeExporter(`${host}:9100`);
  const hosts = HOSTS.map((name) => `127.0.0.1 ${name}\n`).join("");
  await monitor.startBlackboxExporter(`${host}:9115`, hosts, sound.cert + ending.cert);
  await monitor.startPrometheus();
  await monitor.until("up == 1", (samples) => samples.length === 9);
  const before = await sum('hephaestus_gateway_requests_total{action="pull"}');
  await Promise.all(Array.from({ length: 40 }, () => outside(HOSTS[0], "/v2/a/manifests/latest")));
  await monitor.until('sum(hephaestus_gateway_requests_total{action="pull"})', ([sample]) =>
    [before + 40].includes(Number(sample?.value[1])),
  );
  const byTask = await monitor.query('hephaestus_gateway_requests_total{action="pull",code="404"}');
  expect(byTask.map(({ value }) => Number(value[1]) > 0)).toEqual([true, true]);
  traffic = setInterval(() => void visit().catch(() => {}), 500);
  await monitor.until("min(count_over_time(up[1m]))", ([sample]) => Number(sample?.value[1]) >= 8);
  for (const name of ["hephaestus_gateway_requests_total", "registry_http_requests_total"])
    expect(await sum(`max(resets(${name}[1m]))`), name).toBe(0);
  expect(await sum("count(count by (instance) (process_start_time_seconds))")).toBe(4);
});

const sum = async (query: string): Promise<number> =>
  (await monitor.query(query)).reduce((total, { value }) => total + Number(value[1]), 0);

interface Dashboard {
  panels: Array<{ title: string; targets: Array<{ expr: string }> }>;
}

test("every query of the dashboard returns data", async () => {
  const text = readFileSync(`${forge.folder}/monitoring/dashboard.json`, "utf8");
  const { panels } = JSON.parse(text) as Dashboard;
  expect(panels.length).toBe(14);
  const isNumber = ({ value }: Sample) => Number.isFinite(Number(value[1]));
  for (const { expr } of panels.flatMap(({ targets }) => targets)) {
    await monitor.until(expr.replaceAll("$__rate_interval", "10s"), (samples) => samples.some(isNumber), 20);
  }
});

test("from outside, and from Traefik's network, there are no metrics and no profiles", async () => {
  const paths = [
    "/metrics",
    "/metrics/",
    "/debug",
    "/debug/pprof/",
    "/debug/pprof/heap",
    "/debug/vars",
    "/targets",
  ];
  for (const host of HOSTS) {
    for (const path of [...paths, "/v2/../metrics", "//metrics", "/v2/%2e%2e/debug/pprof/"])
      expect(await outside(host, path), `${host}${path}`).toBe(404);
  }
  await target.run(
    ...["--name", `${STACK}-neighbour`, "--network", "aether-net"],
    ...["--entrypoint", "sleep", swarm.images.nginx, "3600"],
  );
  for (const port of [5000, 5001]) {
    for (const path of paths.slice(0, 4))
      expect(await from(`${STACK}-neighbour`, `registry:${port}${path}`), `${port}${path}`).toMatch(
        NOT_FOUND,
      );
  }
});

test("on Prometheus's network only the metrics of tasks can be read", async () => {
  const metrics = `${STACK}_registry-metrics:5001`;
  const targets = JSON.parse(await from(monitorName, `${metrics}/targets`)) as Array<{
    targets: string[];
    labels: Record<string, string>;
  }>;
  expect(targets.map(({ labels }) => labels.service)).toEqual(
    ["registry", "reader", "gateway"].flatMap((service) => [service, service]),
  );
  const paths = targets.map(({ labels }) => String(labels.__metrics_path__));
  for (const path of paths) expect(await from(monitorName, metrics + path), path).toContain("# TYPE");
  const [registry = ""] = paths;
  for (const path of [
    ...["/", "/metrics", "/debug/pprof/", "/registry", "/tasks/registry", "/task/127.0.0.1"],
    ...[
      `${registry}/debug/pprof/`,
      `${registry}/../debug/vars`,
      `${registry}%2f..%2fdebug`,
      `${registry}:5000`,
    ],
    ...["/registry/127.0.0.1", "/reader/10.0.0.1", registry.replace("registry", "reader")],
    registry.replace("registry", "registry-ui"),
  ])
    expect(await from(monitorName, metrics + path), path).toMatch(NOT_FOUND);
  const post = ["wget", "-q", "-O", "-", "--post-data=x", `http://${metrics}${registry}`];
  expect((await forge.docker("exec", monitorName, ...post)).all).toContain("405");
  // In the stack itself, the gateway tells nobody else.
  const [reader = ""] = await target.containers("reader");
  expect(await from(reader, `${STACK}_gateway:5001/metrics`)).toMatch(NOT_FOUND);
});

test("services that nobody shall reach have no name on Traefik's network, nor on Prometheus's", async () => {
  const pairs = [
    ...["registry", "reader", "registry-metrics"].map((service) => [`${STACK}-neighbour`, service] as const),
    ...["registry", "reader", "gateway"].map((service) => [monitorName, service] as const),
  ];
  const answers = await Promise.all(
    pairs.map(([container, service]) => from(container, `${STACK}_${service}:5001/metrics`)),
  );
  expect(answers.filter((answer) => !answer.includes("bad address"))).toEqual([]);
});

test("diff, status and doctor know the service", async () => {
  const diff = await forge.hephaestus(["diff"]);
  expectOk(diff);
  const status = JSON.parse((await forge.hephaestus(["status", "--json"])).stdout) as {
    services: Array<{ name: string; healthy: boolean }>;
  };
  expect(status.services).toContainEqual(
    expect.objectContaining({ name: "registry-metrics", healthy: true }),
  );
  const doctor = await forge.hephaestus(["doctor", "--json"]);
  const { findings } = JSON.parse(doctor.stdout) as { findings: Array<{ code: string; message: string }> };
  expect(findings.filter(({ code }) => /^(?:service|config|network|namespace)-/.test(code))).toEqual([]);
});

test("each alert fires once: disk, certificate, front door, error rate, a task, a service", async () => {
  const firing = 'ALERTS{alertstate="firing"}';
  const fires = (name: string) =>
    monitor.until(`ALERTS{alertstate="firing",alertname="${name}"}`, (samples) => samples.length > 0);
  await monitor.until(firing, (samples) => samples.length === 0);
  // Registry and reader can no longer read their storage; the gateway passes their errors on.
  await chmod(target.storage, 0);
  await fires("HephaestusErrorRate");
  await chmod(target.storage, 0o755);
  endpoint.isBroken = true;
  endpoint.show(ending);
  await target.docker("service", "scale", "--detach", `${STACK}_reader=0`, `${STACK}_registry=1`);
  const { bavail, bsize } = await statfs(target.storage);
  await writeFile(`${target.storage}/filling`, Buffer.alloc(bavail * bsize - Math.ceil(DISK * 0.03)));
  const names = new Set(alertNames(readFileSync(`${forge.folder}/monitoring/alerts.yml`, "utf8")));
  names.delete("HephaestusErrorRate");
  for (const name of names) await fires(name);
  const services = (samples: Sample[]) =>
    samples.map(({ metric }) => `${metric.alertname} ${metric.service}`).sort();
  // A task that was asked while it could not read its storage may still be on its way back.
  await monitor.until(
    `${firing} and ALERTS{service!=""}`,
    (samples) => services(samples).join() === "HephaestusServiceDown reader,HephaestusTaskMissing registry",
  );
});

test("the real registry 3 has the same names for what it counts, by the config that is rendered for it", async () => {
  await configure(swarm.images.registry3);
  const name = `${STACK}-third`;
  const mounts = [
    `${forge.folder}/registry/reader.yml:/etc/distribution/config.yml:ro`,
    `${target.storage}:/var/lib/registry:ro`,
  ];
  const options = ["--name", name, ...mounts.flatMap((mount) => ["--volume", mount])];
  await target.run(...options, "--env", "OTEL_TRACES_EXPORTER=none", swarm.images.registry3);
  const ask = (url: string) => from(name, `127.0.0.1:${url}`);
  await expect.poll(() => ask("5000/v2/a/manifests/latest"), { timeout: 10_000 }).toMatch(NOT_FOUND);
  const metrics = await ask("5001/metrics");
  const dashboard = readFileSync(`${forge.folder}/monitoring/dashboard.json`, "utf8");
  const used = [...dashboard.matchAll(/\b(?:registry|process)_[a-z_]+(?=\{)/g)].map(([metric]) => metric);
  expect(new Set(used).size).toBe(3);
  for (const metric of used) expect(metrics, metric).toMatch(new RegExp(`^${metric}[{ ]`, "m"));
});

test("destroy leaves Prometheus's network alone", async () => {
  clearInterval(traffic);
  monitor.stop();
  const destroy = await forge.hephaestus(["destroy", "--yes"]);
  expectOk(destroy);
  expect(await target.docker("service", "ls", "--quiet", "--filter", `name=${STACK}_`)).toBe("");
  expect(await target.docker("network", "ls", "--quiet", "--filter", `name=${NETWORK}`)).not.toBe("");
});
