import { existsSync } from "node:fs";
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { BundleFacts } from "../../src/bundle/bundleFormat.js";
import { ExitCode } from "../../src/errors.js";
import { OWNER_LABEL } from "../../src/services/composeModel.js";
import { STACK_LABEL } from "../../src/swarm/objects.js";
import { type ManagerNode, Nodes, startNodes } from "../support/nodes.js";
import { buildImage } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { startCurrentRelease } from "./clients/release.js";
import { SourceRegistry } from "./mirror/sourceRegistry.js";
import { CREDENTIALS, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** A bundle is made where there are images, and loaded into a Swarm that has none and reaches nothing. */

const swarm = useSwarm();
let folder: string;
let origin: SourceRegistry;
let nodes: Nodes;
let node: ManagerNode;
let here: Workspace;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/b-`);
  origin = await SourceRegistry.start(swarm.images.registry3, folder);
  nodes = new Nodes(folder, 1, 78);
  await startNodes(nodes, swarm.dockerHost, []);
  [node] = nodes.nodes as [ManagerNode];
  here = await Workspace.create("carried", 5050, 8130);
  file = `${here.folder}/forge.bundle`;
  // One image is in a registry alone, and the engine has the others.
  await here.docker("tag", swarm.images.nginx, nginx());
  expectOk(await here.docker("push", nginx()));
  await here.docker("image", "rm", nginx());
  await writeConfig(here, swarm, { root: { domain: node.address }, gateway: { image: nginx() } });
});

afterAll(async () => {
  await nodes?.stop();
  await origin?.end();
  await rm(here.folder, { recursive: true, force: true });
  await rm(folder, { recursive: true, force: true });
});

const nginx = () => `${origin.address}/standin/nginx:1.30`;

const factsOf = async (): Promise<BundleFacts> =>
  JSON.parse((await execa("tar", ["-xOf", file, "bundle.json"])).stdout) as BundleFacts;

/** The stack's gateway as a service without tasks that runs this image. */
async function createGateway(image: string): Promise<void> {
  const labels = [OWNER_LABEL, STACK_LABEL].flatMap((label) => ["--label", `${label}=carried`]);
  const service = ["--name", "carried_gateway", ...labels, "--replicas", "0", "--no-resolve-image"];
  const create = await here.docker("service", "create", "--detach", ...service, image);
  expectOk(create);
}

test("a bundle has each image, and the engine pulls what it lacks by the digest that the stack runs", async () => {
  const { digest } = await origin.oci.manifest("standin/nginx", "1.30");
  const lacking = await here.hephaestus(["bundle", "--from-engine", file]);
  expect(lacking.exitCode, lacking.all).toBe(ExitCode.preflight);
  expect(lacking.all).toContain(`${nginx()}: cannot be bundled: this engine does not have it`);
  await createGateway(`${nginx()}@${digest}`);
  const run = await here.hephaestus(["bundle", file]);
  await here.docker("service", "rm", "carried_gateway");
  expectOk(run);
  const known = await here.docker("image", "inspect", "--format", "{{.RepoDigests}}", nginx());
  expect(known.stdout).toContain(digest);
  const { images } = await factsOf();
  expect([...images].sort()).toEqual([nginx(), swarm.images.registry, swarm.images.ui].sort());
  // Other programs read it: its sums, and its images as those that docker saved.
  await execa("tar", ["-xf", file, "-C", folder]);
  await execa("sha256sum", ["--check", "--quiet", "SHA256SUMS"], { cwd: folder });
  const skopeo = ["inspect", "--raw", `docker-archive:${file}:${swarm.images.registry}`];
  expect(JSON.parse((await execa("skopeo", skopeo)).stdout).schemaVersion).toBe(2);
  const again = await here.hephaestus(["bundle", file]);
  expect(again.exitCode, again.all).toBe(ExitCode.usage);
});

test("the same images and config make the same bytes", async () => {
  const twice = [];
  for (const name of ["one", "two"]) {
    const run = await here.hephaestus(["bundle", "--from-engine", `${here.folder}/${name}`]);
    expectOk(run);
    twice.push((await execa("sha256sum", [`${here.folder}/${name}`])).stdout.slice(0, 64));
  }
  expect(twice[0]).toBe(twice[1]);
});

test("a bundle that was changed or cut off loads nothing", async () => {
  const bytes = await readFile(file);
  const damaged = `${here.folder}/damaged`;
  const at = bytes.indexOf(`"domain": "${node.address}"`);
  for (const [change, message] of [
    [Buffer.concat([bytes.subarray(0, at), Buffer.from("!"), bytes.subarray(at + 1)]), "is damaged"],
    [bytes.subarray(0, bytes.length - 3_000_000), /ends too early|cannot be read/],
    [Buffer.from("no archive"), /is no bundle|cannot be read/],
  ] as const) {
    await writeFile(damaged, change);
    const run = await here.hephaestus(["bundle", "load", damaged], { env: { DOCKER_HOST: node.dockerHost } });
    expect(run.exitCode, run.all).toBe(ExitCode.verify);
    expect(run.all).toMatch(message);
  }
  const images = await here.run("docker", ["images", "--quiet"], { env: { DOCKER_HOST: node.dockerHost } });
  expect(images.stdout).toBe("");
});

test("an engine that keeps images in containerd's store has them by their names, too", async () => {
  const { release, stop } = await startCurrentRelease(folder);
  try {
    const env = { DOCKER_HOST: release.dockerHost };
    const output = `${folder}/of-containerd`;
    const load = await here.hephaestus(["bundle", "load", file, "--output", output], { env });
    expectOk(load);
    for (const name of (await factsOf()).images) {
      const layers = ["image", "inspect", "--format", "{{json .RootFS.Layers}}", name];
      const found = await here.run("docker", layers, { env });
      expect(found.stdout, found.all).toBe((await here.docker(...layers)).stdout);
    }
  } finally {
    await stop();
  }
});

test("a copy of this engine that is not what the stack runs is not bundled", async () => {
  await createGateway(`${nginx()}@sha256:${"a".repeat(64)}`);
  const run = await here.hephaestus(["bundle", "--from-engine", `${here.folder}/old`]);
  await here.docker("service", "rm", "carried_gateway");
  expect(run.exitCode, run.all).toBe(ExitCode.preflight);
  expect(run.all).toContain("this engine has another image");
  expect(existsSync(`${here.folder}/old`)).toBe(false);
});

test("the program of the bundle loads and deploys it on a Swarm without any network", async () => {
  const there = `${folder}/there`;
  await execa("mkdir", [there]);
  await copyFile(file, `${there}/forge.bundle`);
  const env = { DOCKER_HOST: node.dockerHost, CI: "true", ...CREDENTIALS };
  const run = (...args: string[]) =>
    execa(args[0] ?? "", args.slice(1), { cwd: there, env, all: true, reject: false });
  await run("tar", "-xf", "forge.bundle", "hephaestus");
  const program = ["node", `${there}/hephaestus/bin/hephaestus.js`];
  const load = await run(...program, "bundle", "load", "forge.bundle");
  expectOk(load);
  expect(load.stdout).toContain("hephaestus deploy --resolve-image never");
  const deploy = ["deploy", "--config", "carried/hephaestus.yaml", "--resolve-image", "never"];
  const deployed = await run(...program, ...deploy);
  expectOk(deployed);

  const client = new OciClient(`http://${node.address}:5050`, `${USER}:${PASSWORD}`);
  await pushLayout(client, buildImage(folder, "pushed", [20_000]), "own/app:1");
  expect((await client.manifest("own/app", "1")).status).toBe(200);
  // Files of the stack that were edited are not overwritten.
  await writeFile(`${there}/carried/hephaestus.yaml`, "domain: example.com\n");
  const over = await run(...program, "bundle", "load", "forge.bundle");
  expect(over.exitCode, over.all).toBe(ExitCode.usage);
  await run("docker", "stack", "rm", "carried");
});
