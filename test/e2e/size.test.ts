import { existsSync } from "node:fs";
import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { type ManagerNode, type Nodes, startNodes } from "../support/nodes.js";
import { MEDIA } from "./clients/images.js";
import { rate } from "./load.js";
import { inParallel, Pusher } from "./population.js";
import { CREDENTIALS, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { type Run, Workspace } from "./workspace.js";

/** A Swarm of real size: two tasks of the gateway on two nodes, with 20,000 log lines each, and 300 repositories. */

const REPOSITORIES = 300;
const LINES = 20_000;
/** What a command may take, on a machine that does other things too. */
const SECONDS = 20;

const swarm = useSwarm();
let dir: string;
let nodes: Nodes;
let forge: Workspace;
let first: ManagerNode;
const name = (number: number) => `team/app-${number}`;
const doorOf = ({ address }: ManagerNode): string => `http://${address}:5000`;

/** Runs a command that reads and changes nothing; its time is in the message where it was too long. */
async function timed(args: readonly string[], exitCode: number = ExitCode.ok): Promise<Run> {
  const began = Date.now();
  const run = await forge.hephaestus(args, { env: { DOCKER_HOST: first.dockerHost, ...CREDENTIALS } });
  const seconds = (Date.now() - began) / 1000;
  console.log(`${args.join(" ")}: ${seconds} s, exit ${run.exitCode}`);
  expect(run.exitCode, run.all.slice(-3000)).toBe(exitCode);
  expect(seconds).toBeLessThan(SECONDS);
  return run;
}

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/n-`);
  const { registry, nginx, ui, regsync } = swarm.images;
  nodes = await startNodes(dir, 2, swarm.dockerHost, [registry, nginx, ui, regsync]);
  first = nodes.nodes[0] as ManagerNode;
  forge = await Workspace.create("size", 5000, 8080);
  await writeConfig(forge, swarm, {
    root: {
      domain: first.address,
      mirror: [
        { from: `${first.address}:5000/${name(0)}`, to: "mirror/app", tags: ["latest"], plainHttp: true },
      ],
      regsync: { image: regsync },
    },
    registry: {
      placement: { constraints: ["node.hostname == node1"] },
      storage: { driver: "filesystem", path: "/srv/registry" },
    },
    gateway: { replicas: 2, placement: { constraints: ["node.role == manager"], maxReplicasPerNode: 1 } },
    ui: { enabled: false },
  });
  await mkdir(`${first.srv}/registry`);
  await chown(`${first.srv}/registry`, 10001, 10001);
  await forge.hephaestus(["render"]);
  const run = await forge.hephaestus(
    ["deploy", "--resolve-image", "never", "--timeout", "120", "--skip-host-setup"],
    {
      env: { DOCKER_HOST: first.dockerHost, ...CREDENTIALS },
    },
  );
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  const pusher = new Pusher(doorOf(first));
  await inParallel(
    Array.from({ length: REPOSITORIES }, (_, number) => number),
    (number) => pusher.image(name(number), [], "latest"),
  );
  let pulled = 0;
  const accept = () => ({ accept: MEDIA.manifest, "user-agent": `size/${pulled++}` });
  await Promise.all(
    nodes.nodes.map(async (node) => {
      const found = await rate(`${doorOf(node)}/v2/${name(7)}/manifests/latest`, accept, {
        connections: 8,
        seconds: 240,
        most: LINES,
      });
      expect(found.failed).toBe(0);
    }),
  );
}, 600_000);

afterAll(async () => {
  while (existsSync("/tmp/w/scratch-commands/hold"))
    await new Promise((resolve) => setTimeout(resolve, 1000));
  await nodes?.stop();
  await rm(forge?.folder ?? "", { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
}, 3_600_000);

test("audit reads every line of both tasks", async () => {
  const run = await timed(["audit", "--json", "--since", "1h", "--repository", name(7), "--action", "pull"]);
  const { events, missing } = JSON.parse(run.stdout) as {
    events: { userAgent: string }[];
    missing: string[];
  };
  expect(missing).toEqual([]);
  const numbers = new Set(
    events.map(({ userAgent }) => userAgent).filter((agent) => agent.startsWith("size/")),
  );
  expect(numbers.size).toBe(2 * LINES);
});

test("usage knows all repositories, and the last pull of one", async () => {
  const run = await timed(["usage", "--json"]);
  const told = JSON.parse(run.stdout.trim().split("\n").at(-1) ?? "") as {
    repositories: { repository: string; lastPush: string | null; lastPull: string | null }[];
  };
  expect(told.repositories.length).toBeGreaterThanOrEqual(REPOSITORIES);
  expect(told.repositories.find(({ repository }) => repository === name(7))?.lastPull).toMatch(/^\d{4}-/);
  expect(told.repositories.find(({ repository }) => repository === name(8))).toMatchObject({
    lastPull: null,
  });
});

test("mirror status and doctor answer", async () => {
  const run = await timed(["mirror", "status"]);
  expect(run.stdout).toMatch(/^mirror\/app:latest .* same +\d{4}-/m);
  await timed(["doctor"], ExitCode.found);
});

test("logs gives the last lines of all tasks, and all of one service", async () => {
  const run = await timed(["logs", "gateway", "--tail", String(LINES + 5000)]);
  expect(run.stdout.split("\n").length).toBeGreaterThanOrEqual(2 * LINES);
});
