import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { basicValue } from "../support/basic.js";
import type { ManagerNode, Nodes } from "../support/nodes.js";
import { type S3Server, startS3Server } from "../support/s3Server.js";
import { story } from "../support/story.js";
import { type Counts, Load } from "./nodes/readsAndPushes.js";
import { useNodes } from "./nodes/threeNodes.js";
import { type Population, Pusher, populate } from "./population.js";
import { slowUpload } from "./rotation/traffic.js";
import { CREDENTIALS, DEFAULT_TIMES, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** Images in a bucket, two tasks of registry and reader, a gateway on each of three nodes. Then nodes die. */

const swarm = useSwarm();
story();
let dir: string;
let s3: S3Server;
let nodes: Nodes;
let forge: Workspace;
let population: Population;
const table: string[] = [];

const doorOf = ({ address }: ManagerNode): string => `http://${address}:${forge.registryPort}`;

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/d-`);
  nodes = await useNodes(swarm);
  s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, nodes.address, ["images"]);
  forge = await Workspace.create("death", 5020, 8100);
  const [first] = nodes.nodes as [ManagerNode];
  await writeConfig(forge, swarm, {
    // Seven tasks, whose deaths the Swarm learns from those of their nodes.
    root: { domain: first.address, swarm: DEFAULT_TIMES },
    registry: {
      image: swarm.images.registry3,
      replicas: 2,
      placement: { constraints: ["node.role == manager"], maxReplicasPerNode: 1 },
      storage: { driver: "s3", bucket: "images", endpoint: s3.url },
    },
    gateway: { replicas: 3 },
    ui: { enabled: false },
  });
  const keys = {
    REGISTRY_S3_ACCESS_KEY_ID: s3.accessKeyId,
    REGISTRY_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  await forge.hephaestus(["render"]);
  const run = await forge.hephaestus(["deploy", "--resolve-image", "never", "--timeout", "120"], {
    env: { DOCKER_HOST: first.dockerHost, ...CREDENTIALS, ...keys },
  });
  expectOk(run);
  population = await populate(doorOf(first), {
    repositories: 3,
    tagsPerRepository: 4,
    sharedLayers: 4,
    layerSize: 300_000,
  });
});

afterAll(async () => {
  console.log(["what | reads | failed | resumed | longest | pushes | repeated", ...table].join("\n"));
  await docker(nodes.nodes[0] as ManagerNode, "stack", "rm", forge.stack);
  s3?.stop();
  await rm(forge?.folder ?? "", { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

const authorization = basicValue(USER, PASSWORD);

/**
 * Layers on their way through each gateway, enough of them that each task of the registry has some.
 *
 * @returns what sends the rest of each, and gives the milliseconds after which an error was told, of those that broke off. They
 * are pushed again, as clients do, which must work
 */
async function startPushes(endpoints: readonly string[]): Promise<() => Promise<number[]>> {
  const start = (endpoint: string) => slowUpload(endpoint, "pushed/slow", authorization);
  const pushes = await Promise.all(
    endpoints.flatMap((endpoint) =>
      Array.from({ length: 6 }, async () => ({ endpoint, upload: await start(endpoint) })),
    ),
  );
  // A gateway asks about the password first, and then passes on what it has.
  await sleep(2000);
  return async () => {
    const began = Date.now();
    const ends = pushes.map(async ({ endpoint, upload }) => {
      const status = await upload.finish().catch(() => 0);
      if (status === 201) return [];
      const told = Date.now() - began;
      // Until the Swarm has noticed the death, another try may meet the dead task again.
      const again = async () => (await start(endpoint)).finish();
      await expect.poll(() => again().catch(String), { timeout: 70_000, interval: 1000 }).toBe(201);
      return [told];
    });
    return (await Promise.all(ends)).flat();
  };
}

function note(what: string, counts: Counts): void {
  const { reads, failures, resumed, longest, pushes, repeated } = counts;
  table.push(
    `${what} | ${reads} | ${failures.length} | ${resumed} | ${longest} ms | ${pushes} | ${repeated}`,
  );
}

/** What docker says at a node, line by line. */
async function docker({ dockerHost }: ManagerNode, ...args: string[]): Promise<string[]> {
  const { stdout } = await forge.run("docker", ["--host", dockerHost, ...args]);
  return stdout.split("\n").filter(Boolean);
}

/**
 * The tasks that run, as one node sees it: "gateway node2". Not by `service ls`, which counts those of a dead node.
 */
async function running(seenFrom: ManagerNode): Promise<string[]> {
  const format = ["--format", "{{.Name}} {{.Node}} {{.CurrentState}}", "--filter", "desired-state=running"];
  const services = ["gateway", "reader", "registry"].map((service) => `death_${service}`);
  const tasks = await docker(seenFrom, "service", "ps", ...format, ...services);
  return tasks.flatMap((task) => {
    const [, service, node] = /^death_(\w+)\.\d+ (\S+) Running /.exec(task) ?? [];
    return service === undefined ? [] : [`${service} ${node}`];
  });
}

const names = (tasks: readonly string[]) => tasks.map((task) => task.replace(/ .*/, "")).sort();
const PAIRS = ["reader", "reader", "registry", "registry"];
const POLL = { timeout: 90_000, interval: 1000 };

/** Waits until every task runs, as one node sees it. */
async function allRun(node: ManagerNode): Promise<void> {
  const states = () => docker(node, "node", "ls", "--format", "{{.Status}} {{.Availability}}");
  await expect.poll(states, POLL).toEqual(["Ready Active", "Ready Active", "Ready Active"]);
  const tasks = async () => names(await running(node));
  await expect.poll(tasks, POLL).toEqual(["gateway", "gateway", "gateway", ...PAIRS]);
}

/** Waits until the Swarm has replaced what a node ran, as another node sees it. */
async function goneFrom({ name }: ManagerNode, seenFrom: ManagerNode): Promise<void> {
  const tasks = async () => {
    const all = await running(seenFrom);
    return [...all.filter((task) => task.endsWith(` ${name}`)), ...names(all)];
  };
  await expect.poll(tasks, POLL).toEqual(["gateway", "gateway", ...PAIRS]);
}

/** Waits for more reads. */
async function readsAfter({ counts }: Load, more: number): Promise<void> {
  const enough = counts.reads + more;
  await expect.poll(() => counts.reads, { interval: 100 }).toBeGreaterThan(enough);
}

/** The name of the node that leads the Swarm, as another one sees it. */
const leader = async (seenFrom: ManagerNode): Promise<string | undefined> =>
  (await docker(seenFrom, "node", "ls", "--format", "{{.ManagerStatus}} {{.Hostname}}"))
    .find((line) => line.startsWith("Leader "))
    ?.slice("Leader ".length);

/** Whether the gateways of other nodes push through the registry of this one. */
async function isAsked(node: ManagerNode): Promise<boolean> {
  const [id = ""] = await docker(node, "ps", "--quiet", "--filter", `name=${forge.stack}_registry`);
  const { all } = await forge.run("docker", ["--host", node.dockerHost, "logs", "--since", "5s", id]);
  return /\/v2\/pushed\/(?!lost)/.test(all);
}

interface Victim {
  find(seenFrom: ManagerNode): Promise<string | undefined>;
  /** Waits until the others have taken its place. */
  replaced(victim: ManagerNode, seenFrom: ManagerNode): Promise<void>;
}

const VICTIMS: Record<string, Victim> = {
  // Its tasks are replaced a minute later only: a new leader waits for all nodes first.
  "the leader of the Swarm": {
    find: leader,
    replaced: ({ name }, seenFrom) =>
      expect.poll(async () => ((await leader(seenFrom)) ?? name) !== name, POLL).toBe(true),
  },
  "another node, with a task of the registry,": {
    async find(seenFrom) {
      const leading = await leader(seenFrom);
      const tasks = (await running(seenFrom)).filter((task) => task.startsWith("registry "));
      return tasks.map((task) => task.slice("registry ".length)).find((name) => name !== leading);
    },
    replaced: goneFrom,
  },
};

test.each(Object.entries(VICTIMS))("no read fails when %s dies, and pushes are repeated", async (what, {
  find,
  replaced,
}) => {
  const [first] = nodes.nodes as [ManagerNode];
  await allRun(first);
  const name = await find(first);
  const victim = nodes.nodes.find((node) => node.name === name) as ManagerNode;
  const survivors = nodes.nodes.filter((node) => node !== victim) as [ManagerNode, ManagerNode];
  const load = new Load(survivors.map(doorOf), population);
  await readsAfter(load, 20);
  // A push at the node itself is told that it failed.
  const own = new Pusher(doorOf(victim));
  let isDead = false;
  let pushed = 0;
  const lost = (async () => {
    for (;;) {
      const failed = await own.image("pushed/lost", [], "t").then(
        () => false,
        () => true,
      );
      if (failed) return isDead;
      pushed++;
    }
  })();
  await expect.poll(() => pushed, { interval: 50 }).toBeGreaterThan(0);
  const hasRegistry = what.includes("registry");
  // It ran somewhere else a moment ago: half of what is pushed has to be with it.
  if (hasRegistry) await expect.poll(() => isAsked(victim), POLL).toBe(true);
  const finish = hasRegistry ? await startPushes(survivors.map(doorOf)) : undefined;
  isDead = true;
  await nodes.kill(victim);
  const finished = finish?.();
  await replaced(victim, survivors[0]);
  await readsAfter(load, 200);
  const counts = await load.stop();
  const told = (await finished) ?? [];
  counts.repeated += told.length;
  note(`${victim.name} dies: ${what}`, counts);
  if (finish) {
    console.log(`pushes that broke off with ${victim.name} were told so after ${told.join(", ")} ms`);
    expect(counts.repeated).toBeGreaterThan(0);
    expect(Math.max(...told)).toBeLessThan(70_000);
  }
  expect(counts.failures).toEqual([]);
  expect(counts.pushFailures).toEqual([]);
  await nodes.start(victim);
  expect(await lost).toBe(true);
  await allRun(survivors[0]);
  const repeated = () =>
    own.image("pushed/lost", [], "t").then(
      () => "pushed",
      (error: unknown) => String(error),
    );
  await expect.poll(repeated, { interval: 1000 }).toBe("pushed");
});

test("nothing fails when a node is drained", async () => {
  const [first, second, third] = nodes.nodes as [ManagerNode, ManagerNode, ManagerNode];
  await allRun(first);
  const load = new Load([first, third].map(doorOf), population);
  await readsAfter(load, 20);
  await docker(first, "node", "update", "--availability", "drain", second.name);
  await goneFrom(second, first);
  await readsAfter(load, 200);
  const counts = await load.stop();
  note(`${second.name} is drained`, counts);
  await docker(first, "node", "update", "--availability", "active", second.name);
  expect(counts.failures).toEqual([]);
  expect(counts.pushFailures).toEqual([]);
  expect(counts.repeated).toBe(0);
});
