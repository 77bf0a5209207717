import { chownSync, existsSync, readFileSync, statSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { basicValue } from "../support/basic.js";
import type { ManagerNode, Nodes } from "../support/nodes.js";
import { startSshServer } from "../support/sshServer.js";
import { story } from "../support/story.js";
import { CommandTable } from "./commandTable.js";
import { push, putManifest, randomBlob } from "./load.js";
import { useNodes } from "./nodes/threeNodes.js";
import { CREDENTIALS, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, type Run, Workspace } from "./workspace.js";

/** Three managers. The storage is a folder of node2, whichever manager a command talks to. */

const swarm = useSwarm();
story();
const STORAGE = "/srv/registry";
const DEPLOY = ["deploy", "--resolve-image", "never", "--timeout", "120"];
const basic = basicValue(USER, PASSWORD);
let dir: string;
let swarmOfThree: Nodes;
let first: ManagerNode;
let second: ManagerNode;
let third: ManagerNode;
let forge: Workspace;
let url: string;
const table = new CommandTable();
/** What backups from different managers list. */
const indexes = new Set<string>();

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/n-`);
  swarmOfThree = await useNodes(swarm);
  [first, second, third] = swarmOfThree.nodes as [ManagerNode, ManagerNode, ManagerNode];
  forge = await Workspace.create("forge", 5000, 8080);
  url = `http://${second.address}:5000`;
  await configure();
});

afterAll(async () => {
  console.log(String(table));
  await forge?.run("docker", ["--host", first.dockerHost, "stack", "rm", forge.stack]);
  await rm(forge?.folder ?? "", { recursive: true, force: true });
  await rm(dir, { recursive: true, force: true });
});

async function configure(constraints?: string[]): Promise<void> {
  await writeConfig(forge, swarm, {
    root: { domain: second.address },
    registry: {
      image: swarm.images.registry3,
      delete: true,
      storage: { driver: "filesystem", path: STORAGE },
      ...(constraints ? { placement: { constraints } } : {}),
    },
    ui: { enabled: false },
  });
  const rendered = await forge.hephaestus(["render"]);
  expectOk(rendered);
}

const on = (node: ManagerNode, args: readonly string[], env: Record<string, string> = {}): Promise<Run> =>
  table.run(forge, node, args, env);

const manifest = async (repository: string) =>
  (
    await fetch(`${url}/v2/${repository}/manifests/latest`, {
      headers: { accept: "application/vnd.oci.image.manifest.v1+json" },
    })
  ).status;

async function pushImage(repository: string): Promise<void> {
  const layer = randomBlob(200_000);
  await push(url, repository, [layer], { authorization: basic });
  await putManifest(url, repository, [layer], { authorization: basic });
}

test("several nodes that fit are an error with the ways out", async () => {
  const run = await on(first, DEPLOY, CREDENTIALS);
  expect(run.exitCode, run.all).toBe(ExitCode.preflight);
  expect(run.stderr).toContain("3 nodes fit the registry, but /srv/registry is on one node");
  expect(run.stderr).toMatch(/node\.hostname == node\d.*registry\.storage\.shared: true/);
});

test("a deploy from another manager prepares the storage on its node, without ssh", async () => {
  await configure([`node.hostname == ${second.name}`]);
  const run = await on(first, DEPLOY, CREDENTIALS);
  expectOk(run);
  expect(run.all).toMatch(/Host: ok: .* on node2/);
  expect(statSync(`${second.srv}/registry`).uid).toBe(10001);
  for (const node of [first, third]) expect(existsSync(`${node.srv}/registry`)).toBe(false);
  await pushImage("team/app");
  expect(await manifest("team/app")).toBe(200);
});

test("a deploy prepares the storage over ssh, where --host or the engine's address says so", async () => {
  const folder = `${second.srv}/registry`;
  const owner = () => statSync(folder).uid;
  const pid = (await swarmOfThree.processOf(second)) as number;
  const server = await startSshServer(`${dir}/ssh`, second.address, [22, 2222], pid);
  try {
    chownSync(folder, 0, 0);
    const overSsh = [...DEPLOY, "--host", `root@${second.address}`];
    const stranger = await on(first, overSsh);
    expect(stranger.exitCode, stranger.all).toBe(ExitCode.preflight);
    expect(stranger.stderr).toContain("Host key verification failed");
    expect(stranger.stderr).toContain(`See that this works: ssh root@${second.address} true`);
    await server.introduce();
    const planned = await on(first, [...overSsh, "--dry-run"]);
    expectOk(planned);
    expect(planned.all).toMatch(/Host: ok: would prepare it: .*\/srv\/registry/);
    expect(owner()).toBe(0);
    const run = await on(first, overSsh);
    expectOk(run);
    expect(owner()).toBe(10001);
    expect(existsSync(`${first.srv}/registry`)).toBe(false);

    // Another port, as --host takes it, and the engine of the node over ssh.
    const otherPort = `root@${second.address}:2222`;
    const again = await on(first, [...DEPLOY, "--dry-run", "--host", otherPort]);
    expect(again.all).toContain("Host: ok: ready");
    const socket = second.dockerHost.slice("unix://".length);
    await execa("nsenter", ["--target", String(pid), "--mount", "ln", "-s", socket, "/run/docker.sock"]);
    const far = await on({ ...second, dockerHost: `ssh://${otherPort}` }, [...DEPLOY, "--dry-run"]);
    expectOk(far);
    expect(far.all).toContain("Host: ok: ready");
  } finally {
    await server.stop();
  }
});

/** One has nothing of the storage, the other one has it. */
test.each([1, 2])("commands work from manager %i", async (number) => {
  const node = swarmOfThree.nodes[number - 1] as ManagerNode;
  const repository = `team/from-${number}`;
  await pushImage(repository);
  expect(await manifest(repository)).toBe(200);
  const status = await on(node, ["status", "--json"]);
  expectOk(status);
  const doctor = await on(node, ["doctor"]);
  expect([ExitCode.ok, ExitCode.found], doctor.all).toContain(doctor.exitCode);
  expect(doctor.all).not.toMatch(/error:/);
  const users = await on(node, ["user", "list"]);
  expectOk(users);
  expect(users.stdout).toContain(USER);
  const pruned = await on(node, ["prune-tags", "--repository", repository, "--keep-last", "0"], CREDENTIALS);
  expectOk(pruned);
  const gc = await on(node, ["gc", "--delete-untagged", "--dry-run"]);
  expectOk(gc);
  expect(gc.stdout).toMatch(new RegExp(`would free .* in ${3 * number} blobs`));
  const backup = await on(node, ["backup", `from-${number}`]);
  expectOk(backup);
  expect(backup.stdout).toContain("1 tags, 1 images");
  indexes.add(readFileSync(`${forge.folder}/from-${number}/index.json`, "utf8"));
  expect(indexes.size).toBe(1);
});

test("a manager that has no task of the stack rolls it, rotates and frees", {
  timeout: 600_000,
}, async () => {
  const deployed = await on(third, DEPLOY);
  expectOk(deployed);
  const added = await on(third, ["user", "add", "ann"]);
  expectOk(added);
  const headers = {
    authorization: basicValue("ann", added.stdout.trim()),
  };
  expect((await fetch(`${url}/auth/token`, { headers })).status).toBe(200);
  const gc = await on(third, ["gc", "--delete-untagged"]);
  expectOk(gc);
  expect(gc.stdout).toMatch(/freed .* in 6 blobs/);
  expect(await manifest("team/app")).toBe(200);
});

test("the running registry says where the storage is, when the config on disk says something else", async () => {
  await configure([`node.hostname == ${third.name}`]);
  const gc = await on(first, ["gc", "--dry-run"]);
  expectOk(gc);
  const backup = await on(second, ["backup", "other-config"]);
  expectOk(backup);
  expect(backup.stdout).toContain("1 tags, 1 images");
});

test("a registry and a gateway on two nodes are found", async () => {
  const docker = (...args: string[]) => forge.run("docker", ["--host", first.dockerHost, ...args]);
  await mkdir(`${third.srv}/registry`, { recursive: true });
  await docker(
    ...["service", "update", "--quiet", "--detach=false"],
    ...[
      "--constraint-rm",
      `node.hostname == ${second.name}`,
      "--constraint-add",
      `node.hostname == ${third.name}`,
    ],
    "forge_gateway",
  );
  const doctor = await on(first, ["doctor"]);
  expect(doctor.exitCode, doctor.all).toBe(ExitCode.found);
  expect(doctor.stdout).toContain("[storage-split]");
  // The front door is at another address now: that is no backup of nothing.
  const backup = await on(first, ["backup", "empty"]);
  expect(backup.exitCode, backup.all).toBe(ExitCode.verify);
  expect(backup.stderr).toContain("does not answer");
  expect(existsSync(`${forge.folder}/empty/index.json`)).toBe(false);
});

test("destroy --data removes the images on the node that has them, from any manager", async () => {
  expect(existsSync(`${second.srv}/registry/docker`)).toBe(true);
  const run = await on(third, ["destroy", "--yes", "--data"]);
  expectOk(run);
  expect(existsSync(`${second.srv}/registry/docker`)).toBe(false);
});
