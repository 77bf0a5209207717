import { chown, cp, mkdtemp, rm, stat } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { CACHE, CHECKOUT } from "../support/checkout.js";
import { currentDebian, imageBase, inCurrentDebian } from "../support/currentDebian.js";
import { buildImage } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { CREDENTIALS, DEPLOY, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { CLI, expectOk, type Run, type RunSettings, Workspace } from "./workspace.js";

/** The program file and the container image: a whole life of a stack on root file systems without Node. */

const swarm = useSwarm();
const IMAGE = "hephaestus:test";
const BASE = "debian:test";
/** Who owns the folders. */
const OWNER = 1234;
let folder: string;
let file: string;

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/p-`);
  const settings = { cwd: CHECKOUT, preferLocal: true };
  await execa("tsx", ["scripts/programFile.ts", process.arch], settings);
  const name = `hephaestus-linux-${process.arch}`;
  file = `${folder}/hephaestus`;
  await cp(`${CHECKOUT}program/${name}`, file);
  await execa("docker", ["import", imageBase(CACHE), BASE], settings);
  const values = ["--build-arg", `BASE=${BASE}`, "--build-arg", `PROGRAM=${name}`];
  await execa("docker", ["build", "--network", "none", ...values, "--tag", IMAGE, "."], settings);
}, 300_000);

afterAll(async () => {
  await execa("docker", ["image", "rm", "--force", IMAGE, BASE], { reject: false });
  await rm(folder, { recursive: true, force: true });
});

/** A way to start the program in the folder of a workspace. */
type Start = (workspace: Workspace, args: readonly string[], settings?: RunSettings) => Promise<Run>;

const fromFile: Start = (workspace, args, settings) => {
  const [command = "", ...more] = inCurrentDebian(currentDebian(CACHE), tmpdir());
  const there = ["sh", "-ec", 'cd "$0"; exec "$@"', workspace.folder, file];
  return workspace.run(command, [...more, ...there, ...args], settings);
};

const fromImage: Start = (workspace, args, settings = {}) => {
  const socket = `${swarm.dockerHost.replace("unix://", "")}:/var/run/docker.sock`;
  const passed = ["CI", ...Object.keys(settings.env ?? {})].flatMap((name) => ["--env", name]);
  const run = ["run", "--rm", "--network", "host", "--volume", socket, "--volume"];
  return workspace.run("docker", [...run, `${workspace.folder}:/work`, ...passed, IMAGE, ...args], settings);
};

/** With who owns what they write, and what they say to a schedule. */
const WAYS = [
  {
    kind: "program file",
    start: fromFile,
    ports: [5070, 8140],
    writer: 0,
    says: "/hephaestus doctor --config hephaestus.yaml",
  },
  {
    kind: "container image",
    start: fromImage,
    ports: [5071, 8141],
    writer: OWNER,
    says: "units of systemd cannot run what is in a container image",
  },
] as const;

test.each(WAYS)("$kind: init, render, deploy, doctor, rotate, backup", async ({
  kind,
  start,
  writer,
  says,
  ports,
}) => {
  const workspace = await Workspace.create(kind.slice(0, 7), ports[0], ports[1]);
  try {
    await chown(workspace.folder, OWNER, OWNER);
    const ok = async (args: readonly string[], settings?: RunSettings): Promise<string> => {
      const run = await start(workspace, args, settings);
      expectOk(run);
      return run.stdout;
    };
    expect(JSON.parse(await ok(["version", "--json"]))).toMatchObject({ kind });
    await ok(["init", "--profile", "local", "--yes"]);
    await writeConfig(workspace, swarm);
    await ok(["render"]);
    for (const name of ["hephaestus.yaml", "docker-compose.yml"])
      expect((await stat(`${workspace.folder}/${name}`)).uid, name).toBe(writer);
    await ok(DEPLOY, { env: CREDENTIALS });
    expect((await stat(`${workspace.folder}/data`)).uid).toBe(10_001);

    const doctor = await start(workspace, ["doctor"]);
    expect([ExitCode.ok, ExitCode.found], doctor.all).toContain(doctor.exitCode);
    expect(doctor.all).not.toMatch(/error:/);

    const password = (await ok(["rotate-password", "--user", USER])).trim();
    const client = (secret: string) => new OciClient(workspace.registryUrl, `${USER}:${secret}`);
    await pushLayout(client(password), buildImage(folder, kind, [20_000]), "own/app:1");
    await expect(client(CREDENTIALS.REGISTRY_RAW_PASSWORD).login()).rejects.toThrow("401");
    const env = { REGISTRY_USERNAME: USER, REGISTRY_RAW_PASSWORD: password };
    expect(await ok(["backup", "kept"], { env })).toContain("1 tag");

    const units = await start(workspace, ["doctor", "--schedule", "--environment-file", "alert.env"]);
    expect(units.all).toContain(says);
  } finally {
    await workspace.destroy();
  }
});

test("a bundle has the program file, which loads it", async () => {
  const workspace = await Workspace.create("carried", 5072, 8142);
  try {
    await writeConfig(workspace, swarm);
    const made = await fromFile(workspace, ["bundle", "--from-engine", "forge.bundle"]);
    expectOk(made);
    const { folder: cwd } = workspace;
    const command = /^Without hephaestus there: (.*)$/m.exec(made.all)?.[1] ?? "";
    const root = inCurrentDebian(currentDebian(CACHE), tmpdir());
    const [first = "", ...more] = [...root, "sh", "-ec", `cd "$0"; ${command}`, cwd];
    const loaded = await workspace.run(first, more);
    expectOk(loaded);
    const sum = await workspace.run("sha256sum", ["hephaestus/hephaestus", file]);
    expect(new Set(sum.stdout.split("\n").map((line) => line.slice(0, 64))).size, sum.all).toBe(1);
    expect((await stat(`${cwd}/carried/docker-compose.yml`)).isFile()).toBe(true);
  } finally {
    await rm(workspace.folder, { recursive: true, force: true });
  }
});

test("sizes and start times, to be read", async () => {
  const workspace = await Workspace.create("timed", 5073, 8143);
  const median = async (run: () => Promise<unknown>): Promise<string> => {
    const times: number[] = [];
    for (let round = 0; round < 7; round++) {
      const begin = performance.now();
      await run();
      times.push(performance.now() - begin);
    }
    return `${Math.round(times.sort((a, b) => a - b)[3] ?? 0)} ms`;
  };
  const megabytes = (bytes: number) => `${Math.round(bytes / 1e6)} MB`;
  const { stdout } = await workspace.docker("image", "inspect", "--format", "{{.Size}}", IMAGE);
  const lines = [
    `node bin/hephaestus.js: ${await median(() => execa(process.execPath, [CLI, "--version"]))}`,
    `program file: ${megabytes((await stat(file)).size)}, ${await median(() => execa(file, ["--version"]))}`,
    `container image: ${megabytes(Number(stdout))}, ${await median(() => fromImage(workspace, ["--version"]))}`,
  ];
  console.log(lines.join("\n"));
  await rm(workspace.folder, { recursive: true });
});
