import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { type ManagerNode, type Nodes, startNodes } from "../support/nodes.js";
import { type S3Server, startS3Server } from "../support/s3Server.js";
import { type Population, Pusher, populate, pullFaults } from "./population.js";
import { CREDENTIALS, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { Workspace } from "./workspace.js";

/**
 * The whole life of a stack from each of three managers, with another kind of storage from each; with HEPHAESTUS_ALL_MANAGERS=1 all kinds from
 * each, which takes three times as long. Prints a table.
 */

const swarm = useSwarm();
const COLUMNS = [
  ...["deploy", "push", "pull", "status", "doctor", "user list", "rotate", "prune", "gc", "backup"],
  ...["destroy", "restore", "pull again", "destroy again"],
];
let dir: string;
let s3: S3Server;
let nodes: Nodes;
const rows: string[] = [];

beforeAll(async () => {
  dir = await mkdtemp(`${tmpdir()}/m-`);
  const { registry3, nginx } = swarm.images;
  nodes = await startNodes(dir, 3, swarm.dockerHost, [registry3, nginx]);
  // These nodes share the file system of the tests, so a deploy would prepare it here. nodes.test.ts shows how it does elsewhere.
  for (const number of [1, 2, 3]) {
    for (const folder of [`${second().srv}/registry-${number}`, `${dir}/shared/registry-${number}`]) {
      await mkdir(folder, { mode: 0o750 });
      await chown(folder, 10_001, 10_001);
    }
  }
  const buckets = [1, 2, 3].map((number) => `images-${number}`);
  s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, nodes.address, buckets);
});

afterAll(async () => {
  console.log([`storage | manager | ${COLUMNS.join(" | ")}`, ...rows].join("\n"));
  await nodes?.stop();
  s3?.stop();
  await rm(dir, { recursive: true, force: true });
});

const second = () => nodes.nodes[1] as ManagerNode;

/** The registry's part of the config. */
const STORAGES: Record<string, (number: number) => Record<string, unknown>> = {
  "folder on node2": (number) => ({
    storage: { driver: "filesystem", path: `/srv/registry-${number}` },
    placement: { constraints: [`node.hostname == ${second().name}`] },
  }),
  "shared folder": (number) => ({
    storage: { driver: "filesystem", path: `/srv/shared/registry-${number}`, shared: true },
    replicas: 2,
  }),
  bucket: (number) => ({
    storage: { driver: "s3", bucket: `images-${number}`, endpoint: s3.url },
    replicas: 2,
  }),
};

/** One storage after the other: three stacks at once on three engines slow down the tests beside this one. */
test.each([1, 2, 3])("everything works from manager %i", { timeout: 500_000 }, async (number) => {
  const manager = nodes.nodes[number - 1] as ManagerNode;
  const kinds = [...Object.keys(STORAGES).entries()];
  const asked = process.env.HEPHAESTUS_ALL_MANAGERS === "1" ? kinds : kinds.slice(number - 1, number);
  for (const [place, kind] of asked) await life(kind, place, number, manager);
});

/**
 * @param place which of the storages it is: each has a stack and a port of its own
 * @param number of the manager, from 1
 */
async function life(kind: string, place: number, number: number, manager: ManagerNode): Promise<void> {
  const forge = await Workspace.create(`forge-${place}`, 5000 + place, 8080 + place);
  const cells: string[] = [];
  const done = (column: string) => {
    expect(column).toBe(COLUMNS[cells.length]);
    cells.push("ok");
  };
  const hephaestus = async (column: string, args: readonly string[], env: Record<string, string> = {}) => {
    const run = await forge.hephaestus(args, { env: { DOCKER_HOST: manager.dockerHost, ...env } });
    expect(run.exitCode, `${args.join(" ")}: ${run.all}`).toBe(ExitCode.ok);
    done(column);
    return run;
  };
  const keys = {
    REGISTRY_S3_ACCESS_KEY_ID: s3.accessKeyId,
    REGISTRY_S3_SECRET_ACCESS_KEY: s3.secretAccessKey,
  };
  const url = `http://${second().address}:${forge.registryPort}`;
  try {
    await writeConfig(forge, swarm, {
      root: { domain: second().address },
      registry: { image: swarm.images.registry3, delete: true, ...STORAGES[kind]?.(number) },
      gateway: { placement: { constraints: [`node.hostname == ${second().name}`] } },
      ui: { enabled: false },
    });
    await forge.hephaestus(["render"]);
    const quick = ["--resolve-image", "never", "--timeout", "120", "--skip-host-setup"];
    await hephaestus("deploy", ["deploy", ...quick], { ...CREDENTIALS, ...keys });
    const population: Population = await populate(url, {
      repositories: 2,
      tagsPerRepository: 3,
      sharedLayers: 3,
    });
    await new Pusher(url).image("old/image", [], "doomed");
    done("push");
    expect(await pullFaults(url, population)).toEqual([]);
    done("pull");
    await hephaestus("status", ["status", "--json"]);
    const doctor = await forge.hephaestus(["doctor"], { env: { DOCKER_HOST: manager.dockerHost } });
    expect(doctor.all).not.toMatch(/error:/);
    done("doctor");
    await hephaestus("user list", ["user", "list"]);
    const rotated = await hephaestus("rotate", ["rotate-password"]);
    const login = {
      REGISTRY_USERNAME: CREDENTIALS.REGISTRY_USERNAME,
      REGISTRY_RAW_PASSWORD: rotated.stdout.trim(),
    };
    const prune = ["prune-tags", "--repository", "old/*", "--keep-last", "0"];
    await hephaestus("prune", prune, login);
    const gc = await hephaestus("gc", ["gc", "--delete-untagged"]);
    expect(gc.stdout).toMatch(/in 3 blobs|freed 3 blobs/);
    const backup = await hephaestus("backup", ["backup", "kept"]);
    expect(backup.stdout).toContain("7 tags");
    // A bucket keeps its images.
    const data = kind === "bucket" ? [] : ["--data"];
    await hephaestus("destroy", ["destroy", "--yes", ...data]);
    const more = kind === "bucket" ? keys : {};
    await hephaestus("restore", ["restore", "kept", "--read-back", ...quick], { ...login, ...more });
    expect(await pullFaults(url, population)).toEqual([]);
    done("pull again");
    await hephaestus("destroy again", ["destroy", "--yes", ...data]);
  } finally {
    rows.push(
      `${kind} | ${manager.name} | ${[...cells, ...COLUMNS.slice(cells.length).map(() => "-")].join(" | ")}`,
    );
    await forge.hephaestus(["destroy", "--yes"], { env: { DOCKER_HOST: manager.dockerHost } });
    await rm(forge.folder, { recursive: true, force: true });
  }
}
