import { createHash } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { setTimeout as sleep } from "node:timers/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { type ManagerNode, type Nodes, startNodes } from "../support/nodes.js";
import { type S3Server, startS3Server } from "../support/s3Server.js";
import { story } from "../support/story.js";
import { basicValue } from "./attacks/raw.js";
import { MEDIA } from "./clients/images.js";
import { type Population, Pusher, populate } from "./population.js";
import { slowUpload } from "./rotation/traffic.js";
import { CREDENTIALS, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { Workspace } from "./workspace.js";

/** Images in a bucket, two tasks of registry and reader, a gateway on each of three nodes. Then nodes die. */

const swarm = useSwarm();
story();
let dir: string;
let s3: S3Server;
let nodes: Nodes;
let forge: Workspace;
let population: Population;
const table: string[] = [];

const doorOf = ({ address }: ManagerNode): string => `http://${address}:5000`;

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/d-`);
  const { registry3, nginx } = swarm.images;
  nodes = await startNodes(dir, 3, swarm.dockerHost, [registry3, nginx]);
  s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, nodes.address, ["images"]);
  forge = await Workspace.create("forge", 5000, 8080);
  const [first] = nodes.nodes as [ManagerNode];
  await writeConfig(forge, swarm, {
    root: { domain: first.address },
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
  expect(run.exitCode, run.all).toBe(ExitCode.ok);
  population = await populate(doorOf(first), {
    repositories: 3,
    tagsPerRepository: 4,
    sharedLayers: 4,
    layerSize: 300_000,
  });
});

afterAll(async () => {
  console.log(["what | reads | failed | resumed | longest | pushes | repeated", ...table].join("\n"));
  await nodes?.stop();
  s3?.stop();
  await rm(forge?.folder ?? "", { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

interface Counts {
  reads: number;
  failures: string[];
  /** Layers that broke off and were continued, as docker does. */
  resumed: number;
  /** Milliseconds of the read that took longest. */
  longest: number;
  pushes: number;
  /** Pushes that failed and succeeded when they were repeated. */
  repeated: number;
  pushFailures: string[];
}

/** Reads and pushes through some gateways until it is stopped. */
class Load {
  readonly counts: Counts = {
    reads: 0,
    failures: [],
    resumed: 0,
    longest: 0,
    pushes: 0,
    repeated: 0,
    pushFailures: [],
  };
  private ended = false;
  private readonly workers: Promise<void>[];

  constructor(doors: readonly string[]) {
    this.workers = doors.flatMap((door) => [
      ...[0, 1, 2].map((offset) => this.read(door, offset)),
      this.push(door),
    ]);
  }

  async stop(): Promise<Counts> {
    this.ended = true;
    await Promise.all(this.workers);
    return this.counts;
  }

  private async read(door: string, offset: number): Promise<void> {
    const manifests = [...population.manifests];
    const blobs = [...population.blobs];
    for (let turn = offset; !this.ended; turn++) {
      const [name = "", digest = ""] = manifests[turn % manifests.length] ?? [];
      const [repository, tag] = name.split(":");
      const [blob = "", { repository: owner } = { repository: "" }] = blobs[turn % blobs.length] ?? [];
      await this.one(`${door}/v2/${repository}/manifests/${tag}`, digest);
      await this.one(`${door}/v2/${repository}/manifests/${digest}`, digest);
      await this.one(`${door}/v2/${owner}/blobs/${blob}`, blob);
    }
  }

  /** One read, as a client does it: a body that breaks off is continued. */
  private async one(url: string, digest: string): Promise<void> {
    const began = Date.now();
    const parts: Buffer[] = [];
    let failure = "";
    for (let attempt = 0; attempt < 6; attempt++) {
      const offset = parts.reduce((sum, { length }) => sum + length, 0);
      let status = 0;
      try {
        const response = await fetch(url, {
          headers: {
            accept: `${MEDIA.manifest}, ${MEDIA.index}`,
            ...(offset > 0 ? { range: `bytes=${offset}-` } : {}),
          },
          signal: AbortSignal.timeout(60_000),
        });
        status = response.status;
        if (status !== 200 && status !== 206) {
          failure = `${url}: ${status} ${await response.text()}`;
          break;
        }
        for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>)
          parts.push(Buffer.from(chunk));
        const sum = createHash("sha256").update(Buffer.concat(parts)).digest("hex");
        failure = `sha256:${sum}` === digest ? "" : `${url}: other bytes`;
        break;
      } catch (error) {
        failure = `${url}: ${String(error)} ${String((error as Error).cause)}`;
        if (status === 0) break;
        this.counts.resumed++;
      }
    }
    this.counts.reads++;
    this.counts.longest = Math.max(this.counts.longest, Date.now() - began);
    if (failure !== "") this.counts.failures.push(failure);
  }

  private async push(door: string): Promise<void> {
    const pusher = new Pusher(door);
    for (let number = 0; !this.ended; number++) {
      const tag = `t${number}`;
      const repository = `pushed/${new URL(door).hostname.replaceAll(".", "-")}`;
      for (let attempt = 0; ; attempt++) {
        const failure = await pusher.image(repository, [], tag).then(
          () => undefined,
          (error: unknown) => String(error),
        );
        if (failure === undefined) {
          this.counts.repeated += attempt > 0 ? 1 : 0;
          break;
        }
        if (attempt === 20) this.counts.pushFailures.push(failure);
        if (attempt === 20) break;
        await sleep(1000);
      }
      this.counts.pushes++;
      await sleep(200);
    }
  }
}

const authorization = basicValue(USER, PASSWORD);

/**
 * Layers on their way through each gateway, enough of them that each task of the registry has some.
 *
 * @returns what sends the rest of each, and gives the milliseconds after which an error was told, of those that broke off. They
 * are pushed again, as clients do, which must work
 */
async function startPushes(doors: readonly string[]): Promise<() => Promise<number[]>> {
  const start = (door: string) => slowUpload(door, "pushed/slow", authorization);
  const pushes = await Promise.all(
    doors.flatMap((door) => Array.from({ length: 6 }, async () => ({ door, upload: await start(door) }))),
  );
  return async () => {
    const began = Date.now();
    const ends = pushes.map(async ({ door, upload }) => {
      const status = await upload.finish().catch(() => 0);
      if (status === 201) return [];
      const told = Date.now() - began;
      expect(await (await start(door)).finish()).toBe(201);
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

/** Waits until every task runs, as one node sees it. */
async function allRun(node: ManagerNode): Promise<void> {
  const docker = (...args: string[]) => forge.run("docker", ["--host", node.dockerHost, ...args]);
  await expect
    .poll(
      async () => {
        const { stdout } = await docker("service", "ls", "--format", "{{.Name}} {{.Replicas}}");
        const { stdout: states } = await docker("node", "ls", "--format", "{{.Status}} {{.Availability}}");
        return [...stdout.split("\n").map((line) => line.replace(/ \(.*/, "")), ...states.split("\n")].sort();
      },
      { timeout: 90_000, interval: 1000 },
    )
    .toEqual([
      ...["Ready Active", "Ready Active", "Ready Active"],
      ...["forge_gateway 3/3", "forge_reader 2/2", "forge_registry 2/2"],
    ]);
}

test.each([0, 1, 2])("no read fails when node %i dies, and pushes are repeated", {
  timeout: 300_000,
}, async (at) => {
  const victim = nodes.nodes[at] as ManagerNode;
  const survivors = nodes.nodes.filter((node) => node !== victim) as [ManagerNode, ManagerNode];
  await allRun(survivors[0]);
  const load = new Load(survivors.map(doorOf));
  await expect.poll(() => load.counts.reads).toBeGreaterThan(20);
  const before = load.counts.reads;
  // A push at the node itself is told that it failed.
  const own = new Pusher(doorOf(victim));
  let isDead = false;
  const lost = (async () => {
    for (;;) {
      const failed = await own.image("pushed/lost", [], "t").then(
        () => false,
        () => true,
      );
      if (failed) return isDead;
    }
  })();
  // The last one has a task of the registry: those of the others moved there when they died.
  const finish = at === 2 ? await startPushes(survivors.map(doorOf)) : undefined;
  await sleep(500);
  isDead = true;
  await nodes.kill(victim);
  const [told = []] = await Promise.all([finish?.(), sleep(25_000)]);
  const counts = await load.stop();
  counts.repeated += told.length;
  note(`${victim.name} dies`, counts);
  if (finish) {
    console.log(`pushes that broke off with ${victim.name} were told so after ${told.join(", ")} ms`);
    expect(counts.repeated).toBeGreaterThan(0);
    expect(Math.max(...told)).toBeLessThan(70_000);
  }
  expect(counts.failures).toEqual([]);
  expect(counts.pushFailures).toEqual([]);
  expect(counts.reads).toBeGreaterThan(before);
  await nodes.revive(victim);
  expect(await lost).toBe(true);
  await allRun(survivors[0]);
  const repeated = () =>
    own.image("pushed/lost", [], "t").then(
      () => "pushed",
      (error: unknown) => String(error),
    );
  await expect.poll(repeated, { timeout: 60_000, interval: 1000 }).toBe("pushed");
});

test("nothing fails when a node is drained", { timeout: 240_000 }, async () => {
  const [first, second, third] = nodes.nodes as [ManagerNode, ManagerNode, ManagerNode];
  const docker = (...args: string[]) => forge.run("docker", ["--host", first.dockerHost, ...args]);
  await allRun(first);
  const load = new Load([first, third].map(doorOf));
  await sleep(3000);
  await docker("node", "update", "--availability", "drain", second.name);
  await sleep(25_000);
  const counts = await load.stop();
  note(`${second.name} is drained`, counts);
  await docker("node", "update", "--availability", "active", second.name);
  expect(counts.failures).toEqual([]);
  expect(counts.pushFailures).toEqual([]);
  expect(counts.repeated).toBe(0);
});
