import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { selfSigned } from "../support/selfSigned.js";
import { addressOfContainer } from "./addresses.js";
import { Target } from "./attacks/target.js";
import { buildImage, MEDIA } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { rate } from "./load.js";
import { TlsEndpoint } from "./metrics/tlsEndpoint.js";
import { SourceRegistry } from "./mirror/sourceRegistry.js";
import { inParallel, Pusher } from "./population.js";
import { CREDENTIALS, DEPLOY, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run, Workspace } from "./workspace.js";

/** A Swarm of real size: two tasks of the gateway with 10,000 log lines each, and 300 repositories. */

const REPOSITORIES = 300;
/** `docker service logs` of the service stops in the middle from 8,000 lines for each task on. */
const LINES = 10_000;
/** What a command may take, on a machine that does other things too. */
const SECONDS = 20;
const HOST = "localhost";
const PORT = 8443;

const swarm = useSwarm();
let folder: string;
let forge: Workspace;
let origin: SourceRegistry;
let endpoint: TlsEndpoint | undefined;
const name = (number: number) => `team/app-${number}`;

/** Runs a command that changes nothing. */
async function timed(args: readonly string[], exitCodes: readonly number[] = [ExitCode.ok]): Promise<Run> {
  const began = Date.now();
  const env = { ...CREDENTIALS, NODE_EXTRA_CA_CERTS: `${folder}/endpoint.pem` };
  const run = await forge.hephaestus(args, { env });
  const seconds = (Date.now() - began) / 1000;
  console.log(`${args.join(" ")}: ${seconds} s, exit ${run.exitCode}`);
  expect(exitCodes, run.all.slice(-3000)).toContain(run.exitCode);
  expect(seconds).toBeLessThan(SECONDS);
  return run;
}

/** Fills the registry through one task, and the log of each task through itself. */
async function fill(tasks: readonly string[]): Promise<void> {
  const pusher = new Pusher(tasks[0] ?? "");
  const repositories = Array.from({ length: REPOSITORIES }, (_, number) => name(number));
  await inParallel(repositories, (repository) => pusher.image(repository, [], "latest"));
  let asked = 0;
  const headers = () => ({ "user-agent": `size/${asked++}` });
  for (const task of tasks) {
    // How each client begins: it is told where to get a token.
    const { failed } = await rate(`${task}/v2/`, headers, {
      connections: 8,
      seconds: 240,
      most: LINES,
      wanted: [401],
    });
    expect(failed).toBe(0);
  }
  const pull = { headers: { accept: MEDIA.manifest } };
  expect((await fetch(`${tasks[0]}/v2/${name(7)}/manifests/latest`, pull)).status).toBe(200);
}

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/size-`);
  origin = await SourceRegistry.start(swarm.images.registry3, folder);
  await pushLayout(origin.oci, buildImage(folder, "one", [40_000]), "library/app:1");
  forge = await Workspace.create("size", 5000, 8080);
  await forge.docker("network", "create", "--driver", "overlay", "--attachable", "aether-net");
  await writeConfig(forge, swarm, {
    root: {
      expose: "traefik",
      traefik: { publicPort: PORT },
      mirror: [
        { from: `${await origin.open()}/library/app`, to: "mirror/app", tags: ["1"], plainHttp: true },
      ],
      regsync: { image: swarm.images.regsync },
    },
    registry: { host: HOST },
    gateway: { replicas: 2 },
    ui: { enabled: false },
  });
  await forge.hephaestus(["render"]);
  const run = await forge.hephaestus([...DEPLOY, "--no-verify"], { env: CREDENTIALS });
  expectOk(run);
  const containers = await Target.of(forge, swarm).containers("gateway");
  const tasks = await Promise.all(containers.map((id) => addressOfContainer(forge, id)));
  expect(tasks).toHaveLength(2);
  const day = 86_400_000;
  const certificate = selfSigned([HOST], new Date(Date.now() - day), new Date(Date.now() + 60 * day));
  await writeFile(`${folder}/endpoint.pem`, certificate.cert);
  endpoint = await TlsEndpoint.open(
    PORT,
    certificate,
    new Map([[HOST, tasks.map((task) => `${task}:5000`)]]),
  );
  await fill(tasks.map((task) => `http://${task}:5000`));
}, 600_000);

afterAll(async () => {
  endpoint?.close();
  await origin?.end();
  await forge?.destroy(["aether-net"]);
  await rm(folder, { recursive: true, force: true });
});

test("audit reads every line of both tasks", async () => {
  const run = await timed(["audit", "--json", "--all"]);
  const told = JSON.parse(run.stdout) as { events: { userAgent: string }[]; missing: string[] };
  expect(told.missing).toEqual([]);
  const numbers = told.events.flatMap(({ userAgent }) => /^size\/(\d+)$/.exec(userAgent)?.[1] ?? []);
  expect(new Set(numbers).size).toBe(2 * LINES);
});

test("usage knows all repositories, and the last use of each", async () => {
  const run = await timed(["usage", "--json"]);
  const told = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as {
    repositories: { repository: string; lastPush: string | null; lastPull: string | null }[];
  };
  const own = told.repositories.filter(({ repository }) => repository.startsWith("team/"));
  expect(own).toHaveLength(REPOSITORIES);
  expect(own.filter(({ lastPush }) => lastPush === null)).toEqual([]);
  expect(own.find(({ repository }) => repository === name(7))?.lastPull).toMatch(/^\d{4}-/);
});

test("mirror status says when its images were copied", async () => {
  const run = await timed(["mirror", "status"]);
  expect(run.stdout).toMatch(/^mirror\/app:1 .* same +\d{4}-\d\d-\d\d \d\d:\d\d$/m);
});

test("doctor and status answer", async () => {
  // Nobody is Traefik here.
  await timed(["doctor"], [ExitCode.ok, ExitCode.found]);
  await timed(["status"], [ExitCode.ok, ExitCode.unhealthy]);
});

test("logs prints all lines of a service, and follows those of all its tasks", async () => {
  const run = await timed(["logs", "gateway", "--tail", "100000"]);
  expect(run.stdout.split("\n").filter((line) => line.includes('"size/')).length).toBe(2 * LINES);
  let followed = "";
  const follow = forge.hephaestus(["logs", "-f", "gateway", "--tail", "30000"], {
    onOutput: (text) => {
      followed += text;
    },
    killSignalAfter: { signal: "SIGINT", when: /the-last-one/ },
  });
  const seen = () => followed.split('"size/').length - 1;
  await expect.poll(seen, { timeout: 60_000 }).toBe(2 * LINES);
  await endpoint?.ask(HOST, `/v2/${name(9)}/tags/list`, { headers: { "user-agent": "the-last-one" } });
  expectOk(await follow);
});
