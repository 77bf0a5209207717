import { chown, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { execa } from "execa";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { Target } from "./attacks/target.js";
import { type Changes, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";

/** doctor finds nothing on a sound stack, and each fault that is planted. */

const swarm = useSwarm();
const OWNER = 10_001;
let target: Target;
/** A file system of its own, so that it can run full. */
let disk: string;

beforeAll(async () => {
  disk = await mkdtemp(`${tmpdir()}/disk-`);
  await execa("mount", ["-t", "tmpfs", "-o", "size=20G,nr_inodes=100k", "tmpfs", disk]);
  target = await Target.deploy("ill", [5000, 8080], swarm, {
    registry: { storage: { driver: "filesystem", path: disk } },
  });
});

afterAll(async () => {
  await target?.destroy();
  await execa("umount", ["--lazy", disk], { reject: false });
  await rm(disk, { recursive: true, force: true });
});

interface Told {
  findings: Array<Record<"id" | "severity" | "message" | "evidence" | "remedy" | "theme", string>>;
  checked: string[];
  skipped: string[];
}

async function doctor(...args: string[]): Promise<{ exitCode: number; told: Told; ids: string[] }> {
  const run = await target.workspace.hephaestus(["doctor", "--json", ...args]);
  if (run.stdout === "") throw new Error(run.all);
  const told = JSON.parse(run.stdout) as Told;
  return { exitCode: run.exitCode, told, ids: told.findings.map(({ id }) => id) };
}

/** Nothing is found once the Swarm has come to rest. */
const soundAgain = () =>
  expect.poll(async () => (await doctor()).told.findings, { timeout: 60_000, interval: 1000 }).toEqual([]);

/** Sees that each fault is found, with what a person needs. */
async function expectFaults(expected: Readonly<Record<string, RegExp>>, ...args: string[]): Promise<void> {
  const missing = async () => {
    const { ids } = await doctor(...args);
    return Object.keys(expected).filter((id) => !ids.includes(id));
  };
  await expect.poll(missing, { timeout: 60_000, interval: 1000 }).toEqual([]);
  const { exitCode, told } = await doctor(...args);
  expect(exitCode).toBe(ExitCode.found);
  for (const [id, evidence] of Object.entries(expected)) {
    const finding = told.findings.find((candidate) => candidate.id === id);
    expect(`${finding?.message}: ${finding?.evidence}`, id).toMatch(evidence);
    expect(finding?.remedy.length, id).toBeGreaterThan(10);
  }
}

/** Another config file beside the stack's own. */
async function writeOther(changes: Changes): Promise<string[]> {
  const folder = `${target.workspace.folder}/other`;
  await mkdir(folder, { recursive: true });
  const other = Object.assign(Object.create(target.workspace), { folder });
  await writeConfig(other, swarm, {
    ...changes,
    registry: { storage: { driver: "filesystem", path: disk }, ...changes.registry },
  });
  return ["--config", "other/hephaestus.yaml", "--output", target.workspace.folder];
}

const portOf = async (server: Server): Promise<number> => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return (server.address() as AddressInfo).port;
};

test("nothing is found on a sound stack", async () => {
  const { exitCode, told } = await doctor();
  expect(told.findings).toEqual([]);
  expect(told.skipped).toEqual([]);
  expect(exitCode).toBe(ExitCode.ok);
  const shown = await target.workspace.hephaestus(["doctor"]);
  expect(shown.exitCode, shown.all).toBe(ExitCode.ok);
  expect(shown.all).toMatch(/^nothing found; \d\d things checked$/);
  expect(told.checked.length).toBeGreaterThanOrEqual(17);
});
