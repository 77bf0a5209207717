import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { buildImage } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { SourceRegistry } from "./mirror/sourceRegistry.js";
import { CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import type { Run, RunSettings } from "./workspace.js";
import { expectOk, Workspace } from "./workspace.js";

/** Mirror, prune, gc and backup in one run. */

const swarm = useSwarm();
story();
let folder: string;
let workspace: Workspace;
let origin: SourceRegistry;
let smith: OciClient;

const maintain = (settings: RunSettings = {}): Promise<Run> =>
  workspace.hephaestus(["maintain"], { env: CREDENTIALS, ...settings });

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/maintain-`);
  origin = await SourceRegistry.start(swarm.images.registry3, folder);
  const home = await origin.open();
  workspace = await Workspace.create("keep", 5030, 8110);
  smith = new OciClient(workspace.registryUrl, `${USER}:${PASSWORD}`);
  await writeConfig(workspace, swarm, {
    root: {
      mirror: [{ from: `${home}/library/app`, to: "mirror/app", tags: ["*"], plainHttp: true }],
      regsync: { image: swarm.images.regsync },
      retention: [{ repositories: ["pr/**"], keep: { tags: ["keep"] } }],
      maintenance: { backup: { path: `${folder}/backups`, keep: 2 } },
    },
    registry: { delete: true },
    ui: { enabled: false },
  });
  await workspace.hephaestus(["render"]);
  const run = await workspace.hephaestus(DEPLOY, { env: CREDENTIALS });
  expectOk(run);
});

afterAll(async () => {
  await workspace?.destroy();
  await origin?.end();
  await rm(folder, { recursive: true, force: true });
});

/** Something for each part to do: a new image at the source, and one here that may go. */
async function work(number: number): Promise<void> {
  await pushLayout(origin.oci, buildImage(folder, `new${number}`, [50_000]), `library/app:${number}`);
  await pushLayout(smith, buildImage(folder, `old${number}`, [300_000]), `pr/app:old${number}`);
}

async function expectDone(run: Run, number: number): Promise<void> {
  expectOk(run);
  expect(run.stdout).toMatch(/^mirror +done +\d+ copied/m);
  expect(run.stdout).toMatch(/^prune +done +[01] tags removed$/m);
  expect(run.stdout).toMatch(/^gc +done +freed \d+ blobs/m);
  expect(run.stdout).toMatch(/^backup +done +\d+ images/m);
  expect((await smith.manifest("mirror/app", String(number))).status).toBe(200);
  expect(await smith.tags("pr/app")).toEqual(["keep"]);
}

test("one run does all that is configured and leaves one record; meanwhile a second one says so", async () => {
  await pushLayout(smith, buildImage(folder, "keep", [20_000]), "pr/app:keep");
  await work(1);
  let second: Promise<Run> | undefined;
  const first = await maintain({
    onOutput: (text) => {
      if (second === undefined && text.includes("Mirror")) second = maintain();
    },
  });
  await expectDone(first, 1);
  const refused = await second;
  expect(refused?.exitCode, refused?.all).toBe(ExitCode.locked);
  expect(refused?.all).toContain("another operation on keep is running");
  expect(await readdir(`${folder}/backups`)).toEqual(expect.arrayContaining(["oci-layout"]));
  const history = await workspace.hephaestus(["history"]);
  const kinds = [...history.stdout.matchAll(/^\d+ +\S+ \S+ +(\w+)/gm)].map(([, kind]) => kind);
  expect(kinds).toEqual(["deploy", "maintain"]);
  expect(history.stdout).toMatch(/ maintain .*mirror: .*; prune: .*; gc: .*; backup: /);
  const status = await workspace.hephaestus(["status", "--json"]);
  const today = new Date().toISOString().slice(0, 4);
  expect(JSON.parse(status.stdout)).toMatchObject({
    lastGc: expect.stringContaining(today),
    lastBackup: expect.stringContaining(today),
  });
});

test("killed in each part, every run continues past it, and the last one does all of it", async () => {
  await work(2);
  // In gc the registry is read-only.
  for (const when of [/^Mirror/m, /^Tags/m, /^gc/m, /^Blobs/m]) {
    const killed = await maintain({ killSignalAfter: { signal: "SIGKILL", when } });
    expect(killed.exitCode, killed.all).toBe(255);
    expect(killed.all).toMatch(when);
  }
  await expectDone(await maintain(), 2);
  // Pushes are accepted again.
  await pushLayout(smith, buildImage(folder, "after", [10_000]), "own/app:latest");
});

test("a part that fails keeps none of the others from running", async () => {
  await origin.end();
  const run = await workspace.hephaestus(["maintain"]);
  expect(run.exitCode, run.all).toBe(ExitCode.verify);
  expect(run.stdout).toMatch(/^mirror +failed +0 copied, 0 unchanged, 1 failed$/m);
  expect(run.stdout).toMatch(/^prune +failed +a password is needed/m);
  expect(run.stdout).toMatch(/^gc +done/m);
  expect(run.stdout).toMatch(/^backup +done .*1 old ones removed$/m);
});
