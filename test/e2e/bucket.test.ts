import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import type { ManagerNode, Nodes } from "../support/nodes.js";
import { type S3Server, startS3Server } from "../support/s3Server.js";
import { story } from "../support/story.js";
import { MEDIA } from "./clients/images.js";
import { CommandTable } from "./commandTable.js";
import { findLeaks } from "./leaks.js";
import { useNodes } from "./nodes/threeNodes.js";
import { type Population, Pusher, populate, pullFaults } from "./population.js";
import { CREDENTIALS, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run, Workspace } from "./workspace.js";

/** The real registry 3.1.2 with its images in a bucket, on three managers. */

const swarm = useSwarm();
story();
const DEPLOY = ["deploy", "--resolve-image", "never", "--timeout", "120"];
let dir: string;
let s3: S3Server;
let swarmOfThree: Nodes;
let first: ManagerNode;
let second: ManagerNode;
let third: ManagerNode;
let forge: Workspace;
let url: string;
let population: Population;
const table = new CommandTable();

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/b-`);
  swarmOfThree = await useNodes(swarm);
  [first, second, third] = swarmOfThree.nodes as [ManagerNode, ManagerNode, ManagerNode];
  s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, swarmOfThree.address, ["images"]);
  forge = await Workspace.create("bucket", 5010, 8090);
  url = `http://${second.address}:${forge.registryPort}`;
  await configure();
});

afterAll(async () => {
  console.log(String(table));
  await forge?.run("docker", ["--host", first.dockerHost, "stack", "rm", forge.stack]);
  s3?.stop();
  await rm(forge?.folder ?? "", { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

async function configure(registry: Record<string, unknown> = {}, gateway: Record<string, unknown> = {}) {
  await writeConfig(forge, swarm, {
    root: { domain: second.address },
    registry: {
      image: swarm.images.registry3,
      delete: true,
      storage: { driver: "s3", bucket: "images", endpoint: s3.url, prefix: "forge" },
      ...registry,
    },
    gateway: { placement: { constraints: [`node.hostname == ${second.name}`] }, ...gateway },
    ui: { enabled: false },
  });
  const rendered = await forge.hephaestus(["render"]);
  expectOk(rendered);
}

const keys = () => ({
  REGISTRY_S3_ACCESS_KEY_ID: s3.accessKeyId,
  REGISTRY_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
});

const on = (node: ManagerNode, args: readonly string[], env: Record<string, string> = {}): Promise<Run> =>
  table.run(forge, node, args, env);

test("a deploy needs the keys of the bucket once", async () => {
  const refused = await on(first, DEPLOY, CREDENTIALS);
  expect(refused.exitCode, refused.all).toBe(ExitCode.preflight);
  expect(refused.stderr).toContain("Set REGISTRY_S3_ACCESS_KEY_ID, REGISTRY_S3_SECRET_ACCESS_KEY.");
  const run = await on(first, DEPLOY, { ...CREDENTIALS, ...keys() });
  expectOk(run);
  const again = await on(third, DEPLOY);
  expectOk(again);
  expect(again.all).toContain("nothing changed");
});

test("what is pushed is in the bucket, and pulls byte for byte", async () => {
  population = await populate(url, { repositories: 4, tagsPerRepository: 5, sharedLayers: 5 });
  expect(readdirSync(`${s3.bucket("images")}/forge/docker/registry/v2`).sort()).toEqual([
    "blobs",
    "repositories",
  ]);
  expect(await pullFaults(url, population)).toEqual([]);
});

test("gc keeps what a tagged index holds, and the commands around it know the bucket", async () => {
  const node = third;
  const repository = "from/manager";
  const pusher = new Pusher(url);
  const child = await pusher.image(repository, [], undefined);
  await pusher.manifest(repository, "index", MEDIA.index, { manifests: [child] });
  const doomed = await pusher.image(repository, [], "doomed");
  const status = await on(node, ["status", "--json"]);
  expectOk(status);
  const doctor = await on(node, ["doctor"]);
  expect([ExitCode.ok, ExitCode.found], doctor.all).toContain(doctor.exitCode);
  expect(doctor.all).not.toMatch(/error:/);
  const users = await on(node, ["user", "list"]);
  expectOk(users);
  const prune = ["prune-tags", "--repository", repository, "--match", "doomed", "--keep-last", "0"];
  const pruned = await on(node, prune, CREDENTIALS);
  expectOk(pruned);
  const planned = await on(node, ["gc", "--delete-untagged", "--dry-run"]);
  expectOk(planned);
  // The manifest, its layer and its config; what the index holds stays.
  expect(planned.stdout).toContain("would free 3 blobs");
  const gc = await on(node, ["gc", "--delete-untagged"]);
  expectOk(gc);
  expect(gc.stdout).toContain("freed 3 blobs");
  const headers = { accept: MEDIA.manifest };
  const answers = async (path: string) =>
    (await fetch(`${url}/v2/${repository}/${path}`, { headers })).status;
  expect(await answers(`blobs/${doomed.digest}`)).toBe(404);
  expect(await answers(`manifests/${child.digest}`)).toBe(200);
  expect(await pullFaults(url, population)).toEqual([]);
});

test("keys with another id are a new generation, and keys that do not open the bucket are rolled back", async () => {
  const other = { ...keys(), REGISTRY_S3_ACCESS_KEY_ID: "stranger" };
  const wrong = await on(second, DEPLOY, other);
  expect(wrong.exitCode, wrong.all).toBe(ExitCode.rollout);
  expect(await pullFaults(url, population)).toEqual([]);
  const healed = await on(third, DEPLOY, keys());
  expectOk(healed);
  await new Pusher(url).image("team/after", [], "1");
});

test("no key is anywhere but in its secret", async () => {
  process.env.DOCKER_HOST = first.dockerHost;
  expect(await findLeaks(forge, [s3.secretAccessKey], { table: String(table) })).toEqual([]);
  process.env.DOCKER_HOST = swarm.dockerHost;
});

test("a backup of the bucket is restored into a folder of another node", async () => {
  const last = await on(first, ["backup", "from-1"]);
  expectOk(last);
  expect(last.stdout).toContain("23 tags");
  const refused = await on(first, ["destroy", "--yes", "--data"]);
  expect(refused.exitCode, refused.all).toBe(ExitCode.usage);
  const destroyed = await on(first, ["destroy", "--yes"]);
  expectOk(destroyed);
  await configure({
    storage: { driver: "filesystem", path: "/srv/restored" },
    placement: { constraints: [`node.hostname == ${third.name}`] },
  });
  const restored = await on(second, ["restore", "from-1", "--read-back", "--resolve-image", "never"]);
  expectOk(restored);
  expect(await pullFaults(url, population)).toEqual([]);
  expect(readdirSync(`${third.srv}/restored/docker/registry/v2`).sort()).toEqual(["blobs", "repositories"]);
});
