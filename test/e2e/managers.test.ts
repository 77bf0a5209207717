import { chown, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import type { ManagerNode, Nodes } from "../support/nodes.js";
import { type S3Server, startS3Server } from "../support/s3Server.js";
import { useNodes } from "./nodes/threeNodes.js";
import { type Population, Pusher, populate, pullFaults } from "./population.js";
import { CREDENTIALS, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import { Workspace } from "./workspace.js";

/**
 * The whole life of a stack whose storage is a folder that all nodes share, each command from the next of three managers. `nodes.test.ts`
 * and `bucket.test.ts` have the other kinds. With HEPHAESTUS_ALL_MANAGERS=1 all kinds, and all commands from each manager. Prints a table.
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
  nodes = await useNodes(swarm);
  // These nodes share the file system of the tests, so a deploy would prepare it here. nodes.test.ts shows how it does elsewhere.
  for (const number of [0, 1, 2, 3]) {
    for (const folder of [`${second().srv}/registry-${number}`, `${nodes.dir}/shared/registry-${number}`]) {
      await mkdir(folder, { mode: 0o750 });
      await chown(folder, 10_001, 10_001);
    }
  }
  const buckets = [1, 2, 3].map((number) => `images-${number}`);
  s3 = await startS3Server(process.env.HEPHAESTUS_CACHE ?? "", `${dir}/s3`, nodes.address, buckets);
});

afterAll(async () => {
  console.log([`storage | manager | ${COLUMNS.join(" | ")}`, ...rows].join("\n"));
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

const LIVES =
  process.env.HEPHAESTUS_ALL_MANAGERS === "1"
    ? Object.keys(STORAGES).flatMap((kind) => [1, 2, 3].map((number) => [kind, number] as const))
    : [["shared folder", 0] as const];

/** One after the other: three stacks at once on three engines slow down the tests beside this one. */
test.each(LIVES)("a stack with a %s works from manager %i; 0: from each in turn", async (kind, number) => {
  const turns = number === 0 ? nodes.nodes : nodes.nodes.slice(number - 1, number);
  const [manager] = turns as [ManagerNode];
  // Each kind has a stack and a port of its own.
  const place = Object.keys(STORAGES).indexOf(kind);
  const forge = await Workspace.create(`life-${place}`, 5030 + place, 8110 + place);
  const cells: string[] = [];
  const done = (column: string) => {
    expect(column).toBe(COLUMNS[cells.length]);
    cells.push("ok");
  };
  const hephaestus = async (column: string, args: readonly string[], env: Record<string, string> = {}) => {
    const { dockerHost } = turns[cells.length % turns.length] as ManagerNode;
    const run = await forge.hephaestus(args, { env: { DOCKER_HOST: dockerHost, ...env } });
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
      `${kind} | ${turns.map(({ name }) => name)} | ${[...cells, ...COLUMNS.slice(cells.length).map(() => "-")].join(" | ")}`,
    );
    await forge.run("docker", ["--host", manager.dockerHost, "stack", "rm", forge.stack]);
    await rm(forge.folder, { recursive: true, force: true });
  }
});
