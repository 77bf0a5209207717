import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { mkdir, mkdtemp, rm, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { CACHE, copyCheckout } from "../support/checkout.js";
import { useSwarm } from "./swarm.js";
import { expectOk } from "./workspace.js";

/** The trial of the README on a fresh machine: a network and mounts of its own, without an engine and without a way out. */

let folder: string;
let checkout: string;
/** Holds the namespaces of that machine. */
let machine: ChildProcess;

const inside = (command: string, ...args: string[]) => {
  const namespaces = ["--target", String(machine.pid), "--net", "--mount"];
  const { DOCKER_HOST: _, ...env } = process.env;
  return execa("nsenter", [...namespaces, "sh", "-c", 'cd "$0" && exec "$@"', checkout, command, ...args], {
    env,
    extendEnv: false,
    reject: false,
    all: true,
    input: "",
  });
};
const demo = (...args: string[]) => inside("npm", "run", "--silent", "demo", "--", ...args);

/** Ids of the processes that work in the folder of this test, apart from what holds its namespaces. */
const processes = () =>
  readdirSync("/proc").filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, "utf8").includes(checkout);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });

/** What an engine leaves on a machine: links, rules of the firewall, mounts. */
async function traces(): Promise<Record<string, string | string[]>> {
  const words = async (command: string, ...args: string[]) => (await inside(command, ...args)).stdout;
  const mounts = (await words("cat", "/proc/self/mounts")).split("\n");
  return {
    links: await words("ip", "-brief", "link"),
    // Rules, and chains that it added: those of the kernel stay, empty.
    firewall: (await words("iptables-save")).split("\n").filter((line) => /^-|^:\S+ -/.test(line)),
    mounts: mounts.filter((line) => line.includes(checkout)).join("\n"),
  };
}

/** The packages are not downloaded again. */
async function linkCache(): Promise<void> {
  await mkdir(`${checkout}/.demo`, { recursive: true });
  await symlink(CACHE, `${checkout}/.demo/cache`);
}

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/demo-`);
  checkout = `${folder}/c`;
  await copyCheckout(checkout);
  await linkCache();
  const script = "mount -t tmpfs tmpfs /run && ip link set lo up && echo up && exec sleep infinity";
  machine = spawn("unshare", ["--net", "--mount", "sh", "-c", script], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(machine.stdout as NodeJS.ReadableStream, "data");
});

afterAll(async () => {
  await demo("--down");
  machine?.kill();
  await rm(folder, { recursive: true, force: true });
});

test("without an engine it says how to get one, and makes nothing", async () => {
  const run = await demo();
  expect(run.exitCode, run.all).toBe(ExitCode.preflight);
  expect(run.stderr).toContain("Docker Engine does not answer");
  expect(run.stderr).toContain("npm run demo -- --install-docker");
  expect(processes()).toEqual([]);
});

test("it deploys, pushes, pulls and asks the library; again after the engine died; and removes all that it made", async () => {
  const before = await traces();
  for (const round of ["first", "second"]) {
    const run = await demo("--install-docker");
    expect(run.exitCode, `the ${round} run: ${run.all}`).toBe(ExitCode.ok);
    expect(run.stdout).toContain("the digest is the one that was pushed");
    expect(run.stdout).toMatch(
      /==> Nobody else writes\n.*docker push localhost:5000.*\n.*(?:unauthorized|denied)/,
    );
    expect(run.stdout).toContain('"demo/hello"');
    const password = readFileSync(`${checkout}/.demo/password`, "utf8");
    expect(run.all).not.toContain(password);
    expect(processes().length).toBeGreaterThan(0);
    if (round === "second") continue;
    const engine = Number(readFileSync(`${checkout}/.demo/engine/docker.pid`, "utf8"));
    process.kill(engine, "SIGKILL");
  }
  const removed = await demo("--down");
  expectOk(removed);
  expect(existsSync(`${checkout}/.demo`)).toBe(false);
  expect(processes()).toEqual([]);
  expect(await traces()).toEqual(before);
});

test("with an engine that is there it leaves all that it did not make", async () => {
  const { dockerHost } = useSwarm();
  const here = (...args: string[]) =>
    execa("npm", ["run", "--silent", "demo", "--", ...args], { cwd: checkout, reject: false, all: true });
  const listed = async (...args: string[]) =>
    (await execa("docker", [...args], { env: { DOCKER_HOST: dockerHost } })).stdout.split("\n").sort();
  const all = async () => ({
    images: await listed("images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}"),
    objects: await Promise.all(
      ["service", "secret", "config", "network", "node"].map((type) => listed(type, "ls", "--quiet")),
    ),
  });
  const before = await all();
  await linkCache();
  const ports = ["--registry-port", "5055", "--ui-port", "8055"];
  const run = await here(...ports);
  expectOk(run);
  expect(run.stdout).toContain("registry   http://localhost:5055");
  // Its own ports are taken by itself.
  const again = await here(...ports);
  expectOk(again);
  expect(again.stdout).toContain("nothing changed");
  const removed = await here("--down");
  expectOk(removed);
  expect(existsSync(`${checkout}/.demo`)).toBe(false);
  expect(await all()).toEqual(before);
});
