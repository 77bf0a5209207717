import { mkdtemp, rm, truncate } from "node:fs/promises";
import { tmpdir } from "node:os";
import bcrypt from "bcryptjs";
import { afterAll, beforeAll, expect, test } from "vitest";
import { ExitCode } from "../../src/errors.js";
import { story } from "../support/story.js";
import { buildImage } from "./clients/images.js";
import { pushLayout } from "./clients/oci.js";
import { OciClient } from "./clients/ociClient.js";
import { BCRYPT_COST, CREDENTIALS, DEPLOY, PASSWORD, USER, writeConfig } from "./stack.js";
import { useSwarm } from "./swarm.js";
import type { Run } from "./workspace.js";
import { expectOk, Workspace } from "./workspace.js";

/** Nothing is left out without a word: what the caller may not pull, what is damaged, and the secrets that a restore needs. */

const swarm = useSwarm();
story();
const ANN = "Tongs-and-bellows-4";
const HEADERS = {
  REGISTRY_NOTIFICATION_HEADERS: JSON.stringify({ ci: { Authorization: "Bearer of-a-test" } }),
};
let folder: string;
let workspace: Workspace;
let ann: OciClient;
let smith: OciClient;

/** As a user who may not pull `secret/**`. */
const run = (...args: string[]): Promise<Run> => workspace.hephaestus(args, { env: CREDENTIALS });

beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/whole-`);
  workspace = await Workspace.create("whole", 5050, 8130);
  ann = new OciClient(workspace.registryUrl, `ann:${ANN}`);
  smith = new OciClient(workspace.registryUrl, `${USER}:${PASSWORD}`);
  await writeConfig(workspace, swarm, {
    root: {
      access: [{ repositories: ["secret/**"], pull: ["ann"] }],
      retention: [{ repositories: ["secret/**"], keep: { last: 1 } }],
      maintenance: { gc: false, backup: { path: `${folder}/kept` } },
      notifications: [{ name: "ci", url: "http://192.0.2.1/", headers: true }],
    },
    registry: { delete: true },
    ui: { enabled: false },
  });
  await workspace.hephaestus(["render"]);
  const htpasswd = `${CREDENTIALS.REGISTRY_HTPASSWD}ann:${bcrypt.hashSync(ANN, BCRYPT_COST)}\n`;
  const env = { ...CREDENTIALS, ...HEADERS, REGISTRY_HTPASSWD: htpasswd };
  const deployed = await workspace.hephaestus(DEPLOY, { env });
  expectOk(deployed);
  await pushLayout(ann, buildImage(folder, "hidden", [20_000]), "secret/app:1");
  await pushLayout(smith, buildImage(folder, "open", [20_000]), "open/app:1");
});

afterAll(async () => {
  await workspace?.destroy();
  await rm(folder, { recursive: true, force: true });
});

test("a backup of the stack has what its caller may not pull, and one of the images alone names it", async () => {
  const whole = await run("backup", "whole");
  expectOk(whole);
  expect(whole.stdout).toContain("2 tags, 2 images");
  const proof = await run("restore", "whole", "--dry-run");
  expectOk(proof);

  const part = await run("backup", "part", "--images-only");
  expect(part.exitCode, part.all).toBe(ExitCode.verify);
  expect(part.all).toContain(`left out: secret/** (rule 1 of access): ${USER} may not pull there`);
  expect(part.all).not.toMatch(/complete(?!:)/);
  const same = await run("backup", "same", "--from", `${workspace.registryUrl}/`);
  expect(same.exitCode, same.all).toBe(ExitCode.verify);
  const listed = await run("backup", "list", "part");
  expect(listed.stdout).toMatch(/incomplete: 1 left out$/m);
  const unproven = await run("restore", "part", "--dry-run");
  expect(unproven.exitCode, unproven.all).toBe(ExitCode.verify);
  expect(unproven.all).not.toContain("Proof: ok");
  expect(unproven.all).toContain("secret/**");
});

test("usage and prune-tags say what their caller does not see", async () => {
  const usage = await run("usage", "--no-log");
  expect(usage.exitCode, usage.all).toBe(ExitCode.verify);
  expect(usage.all).toContain(`secret/** (rule 1 of access): ${USER} may not pull there`);
  expect(usage.stdout).toContain("What you can see together");
  const prune = (repository: string) =>
    run("prune-tags", "--keep-last", "1", "--dry-run", "--repository", repository);
  const hidden = await prune("secret/**");
  expect(hidden.exitCode, hidden.all).toBe(ExitCode.verify);
  expect(hidden.all).toContain("--repository secret/** matches nothing that you can see; secret/** (rule 1");
  const seen = await prune("open/**");
  expectOk(seen);
  const env = { REGISTRY_USERNAME: "ann", REGISTRY_RAW_PASSWORD: ANN };
  const all = await workspace.hephaestus(["usage", "--no-log"], { env });
  expectOk(all);
});

test("maintain backs up all, and says which repositories it could not prune", async () => {
  const maintained = await run("maintain");
  expect(maintained.exitCode, maintained.all).toBe(ExitCode.verify);
  expect(maintained.all).toContain(`not seen: secret/app: ${USER} may not pull it`);
  expect(maintained.stdout).toMatch(/^prune +failed +0 tags removed, some repositories not seen$/m);
  expect(maintained.stdout).toMatch(/^backup +done +2 images/m);
  const proof = await run("restore", `${folder}/kept`, "--dry-run");
  expectOk(proof);
});

test("a tag that a power cut emptied is named by doctor, status, usage and backup", async () => {
  const name = "open/torn:1";
  await pushLayout(smith, buildImage(folder, "torn", [20_000]), name);
  const tags = `${workspace.folder}/data/docker/registry/v2/repositories/open/torn/_manifests/tags`;
  await truncate(`${tags}/1/current/link`, 0);
  const doctor = await run("doctor", "--json");
  expect(doctor.stdout).toMatch(/"code":"tag-damaged"[^}]*the tag open\/torn:1 names no manifest/);
  const status = await run("status");
  expect(status.exitCode, status.all).toBe(ExitCode.unhealthy);
  expect(status.stdout).toContain("the tag open/torn:1 names no manifest");
  const usage = await run("usage", "--no-log");
  expect(usage.all).toContain("open/torn: 1 cannot be read");
  expect(usage.stdout).toContain("open/app");
  const backup = await run("backup", "torn");
  expect(backup.exitCode, backup.all).toBe(ExitCode.verify);
  expect(backup.all).toContain("open/torn:1 names no manifest in the storage");
  await pushLayout(smith, buildImage(folder, "mended", [20_000]), name);
  const mended = await run("status");
  expectOk(mended);
});

const users = async (): Promise<string[]> => {
  const listed = await workspace.hephaestus(["user", "list", "--json"]);
  return [...listed.stdout.matchAll(/"user":"([^"]+)"/g)].map(([, name = ""]) => name).sort();
};

/** Everything is gone but the backup and the config. */
async function lose(): Promise<void> {
  await workspace.clear();
  await rm(`${workspace.folder}/data`, { recursive: true });
  // Tokens of this stack are none of the next one.
  ann = new OciClient(workspace.registryUrl, `ann:${ANN}`);
}

const restore = (env: Record<string, string>) =>
  workspace.hephaestus(["restore", "last", "--read-back", "--resolve-image", "never"], { env });

test("a restore asks for the secrets that the stack needs before it changes anything, and brings back all", async () => {
  expectOk(await run("backup", "last"));
  await lose();
  const asked = await restore({});
  expect(asked.exitCode, asked.all).toBe(ExitCode.preflight);
  expect(asked.all).toContain("Set REGISTRY_NOTIFICATION_HEADERS");
  expect((await workspace.docker("service", "ls", "--quiet")).stdout).toBe("");
  expect((await workspace.docker("secret", "ls", "--quiet")).stdout).toBe("");
  const restored = await restore(HEADERS);
  expectOk(restored);
  expect(restored.all).toContain("Proof: ok");
  expect((await ann.manifest("secret/app", "1")).status).toBe(200);
  expect(await users()).toEqual(["ann", USER]);
});

test("who deploys before the restore keeps the users of the backup", async () => {
  await lose();
  const env = {
    ...HEADERS,
    REGISTRY_HTPASSWD: `carl:${bcrypt.hashSync(PASSWORD, BCRYPT_COST)}\n`,
    REGISTRY_USERNAME: "carl",
    REGISTRY_RAW_PASSWORD: PASSWORD,
  };
  const deployed = await workspace.hephaestus(DEPLOY, { env });
  expectOk(deployed);
  const restored = await restore({});
  expectOk(restored);
  expect(await users()).toEqual(["ann", "carl", USER]);
  expect((await ann.manifest("secret/app", "1")).status).toBe(200);
});
