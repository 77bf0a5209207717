import { mkdir, symlink } from "node:fs/promises";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { expectOk, Workspace } from "./workspace.js";

/** A stack on Docker Engine 29 with containerd's image store, and on its command line; run.sh starts it. */

const swarm = useSwarm();
story();

const NEXT = "Second-heat-2";
let forge: Workspace;
const image = () => `${forge.registry}/tools/hello:1`;

beforeAll(async () => {
  forge = await Workspace.create("new", 5000, 8080);
  await useRegistry(swarm.images.registry);
});

/** Renders the stack with a registry of another line. */
async function useRegistry(name: string): Promise<void> {
  await writeConfig(forge, swarm, { registry: { image: name } });
  expectOk(await forge.hephaestus(["render"]));
}

afterAll(() => forge.destroy());

const login = (password: string) =>
  forge.run("docker", ["login", "-u", USER, "--password-stdin", forge.registry], {
    input: password,
    env: { DOCKER_CONFIG: `${forge.folder}/docker` },
  });

const docker = (...args: string[]) =>
  forge.run("docker", args, { env: { DOCKER_CONFIG: `${forge.folder}/docker` } });

async function pull(): Promise<void> {
  expectOk(await docker("image", "rm", image()));
  expectOk(await docker("pull", image()));
}

test("it is what people have: line 29, containerd's store, and no API below 1.44", async () => {
  const { stdout: versions } = await docker(
    "version",
    "--format",
    "{{.Client.Version}} {{.Server.MinAPIVersion}}",
  );
  expect(versions).toMatch(/^29\.\d+\.\d+ 1\.44$/);
  const { stdout: store } = await docker("info", "--format", "{{.DriverStatus}}");
  expect(store).toContain("io.containerd.snapshotter.v1");
});

test("deploys, and takes a push that others pull", async () => {
  expectOk(await forge.hephaestus(DEPLOY, { env: CREDENTIALS }));
  expectOk(await login(PASSWORD));
  expectOk(await docker("tag", swarm.images.hello, image()));
  expectOk(await docker("push", image()));
  expectOk(await docker("logout", forge.registry));
  await pull();
  // Of an image that the registry has, containerd's store writes nothing, and says that it is there.
  const other = image().replace("hello", "other");
  expectOk(await docker("tag", swarm.images.nginx, other));
  const push = await docker("push", other);
  expect(push.exitCode, push.all).not.toBe(0);
  expect(push.all).toMatch(/log in first|unauthorized|401/i);
});

test("goes from line 2 of the registry to line 3 and back, with its images", async () => {
  await useRegistry(swarm.images.registry3);
  expectOk(await forge.hephaestus(DEPLOY));
  await pull();
  expectOk(await forge.hephaestus(["rollback"]));
  await pull();
  expectOk(await forge.hephaestus(DEPLOY));
});

test("rotates a password", async () => {
  expectOk(await forge.hephaestus(["rotate-password", "--password-stdin"], { input: NEXT }));
  expectOk(await login(NEXT));
  expect((await login(PASSWORD)).exitCode).not.toBe(0);
});

test("doctor and diff find nothing", async () => {
  const { stdout } = await forge.hephaestus(["doctor", "--json"]);
  expect(JSON.parse(stdout)).toMatchObject({ findings: [], skipped: [] });
  expectOk(await forge.hephaestus(["diff"]));
});

test("a docker command that it refuses is told so, with the line to install", async () => {
  const folder = `${forge.folder}/old`;
  await mkdir(folder);
  await symlink("/usr/bin/docker", `${folder}/docker`);
  const env = { ...CREDENTIALS, PATH: `${folder}:${process.env.PATH}` };
  const [, line] = /version (\d+)/.exec((await forge.run("docker", ["--version"], { env })).stdout) ?? [];
  const deploy = await forge.hephaestus(DEPLOY, { env });
  // Debian 13 and Ubuntu have a newer one.
  if (Number(line) >= 25) return expectOk(deploy);
  expect(deploy.exitCode, deploy.all).toBe(ExitCode.preflight);
  expect(deploy.all).toContain("[client-too-old]");
  expect(deploy.all).toMatch(
    /client version 1\.\d+ is too old.*\n.*Install Docker's command line 25\.0 or newer/,
  );
  const { stdout } = await forge.hephaestus(["doctor", "--json"], { env });
  expect(stdout).toContain('"code":"client-too-old"');
});
