/** The images in a named volume, which is the operator's own. */
import { expect, test } from "vitest";
import { ConfigError } from "../../src/config/configFindings.js";
import { loadConfig } from "../../src/config/load.js";
import { isSharedStorage, storageFolder, storagePlace } from "../../src/config/resolve.js";
import { composedSpec, readComposeFile } from "../../src/diff/composedService.js";
import { judgeStorage } from "../../src/doctor/storageChecks.js";
import { setupHostArguments } from "../../src/host/setupHost.js";
import { ciFiles } from "../../src/render/ciFiles.js";
import { loadTemplates } from "../../src/render/templates.js";
import { renderFiles } from "../../src/stack.js";
import { runJob } from "../../src/swarm/jobs.js";
import { FakeEngine } from "../support/fakeEngine.js";
import { task } from "./swarmObjects.js";

const configOf = (storage: object) =>
  loadConfig(JSON.stringify({ domain: "forge.example", registry: { storage } }), "f", {}).config;
const config = configOf({ volume: "registry_data" });

test("it is on one node, and has its name wherever the folder has its path", () => {
  expect(storageFolder(config)).toBe("registry_data");
  expect(storagePlace(config)).toBe("the volume registry_data");
  expect(isSharedStorage(config)).toBe(false);
  expect(setupHostArguments(config, false)).toEqual(["--volume", "registry_data", "--owner", "10001:10001"]);
  const [workflow] = ciFiles("github", config, loadTemplates());
  expect(workflow?.text).toContain("sh -s -- --volume 'registry_data' --owner 10001:10001");
});

test("a folder and a volume at once are refused, and so is a path in the place of a name", () => {
  expect(() => configOf({ volume: "registry_data", path: "/data" })).toThrow(ConfigError);
  expect(() => configOf({ volume: "/data" })).toThrow(ConfigError);
});

test("both mounts are of that volume, the gateway's read-only, and docker makes the same of them", () => {
  const [file] = renderFiles(config, loadTemplates(), "f");
  const compose = readComposeFile(file?.text ?? "");
  expect(compose.volumes).toEqual({ images: { external: true, name: "registry_data" } });
  const mountOf = (name: string) => {
    const spec = composedSpec("hephaestus", compose, name, {}) as {
      TaskTemplate: { ContainerSpec: { Mounts: Array<{ Target: string }> } };
    };
    return spec.TaskTemplate.ContainerSpec.Mounts.find(({ Target }) => Target === "/var/lib/registry");
  };
  const mount = { Type: "volume", Source: "registry_data", Target: "/var/lib/registry" };
  expect(mountOf("registry")).toEqual({ ...mount, VolumeOptions: { NoCopy: true } });
  expect(mountOf("gateway")).toEqual({ ...mount, ReadOnly: true, VolumeOptions: { NoCopy: true } });
});

test("a job mounts a volume by its name, and a folder by its path", async () => {
  const asked: string[] = [];
  const docker = new FakeEngine().docker(
    (call) => asked.push(call),
    () => ({ exitCode: 1, stdout: "", stderr: "no" }),
  );
  const mounts = [
    { source: "registry_data", target: "/a", readOnly: true },
    { source: "/data", target: "/b", readOnly: false },
  ];
  const job = { name: "look", image: "i", command: [], user: "1:1", mounts, constraints: [] };
  const run = runJob({ docker, cleanupDocker: docker, lockDocker: docker }, "forge", job, 1, () => {});
  await expect(run).rejects.toThrow();
  expect(asked.join()).toContain("type=volume,source=registry_data,target=/a,readonly");
  expect(asked.join()).toContain("type=bind,source=/data,target=/b");
});

test("doctor says how a volume is prepared", () => {
  const rejected = task("rejected", {
    Status: { State: "rejected", Err: "invalid mount config: no such volume" },
  });
  const [finding] = judgeStorage("registry_data", "1:1", undefined, [rejected]);
  expect(finding?.message).toBe("the volume registry_data is not there");
  expect(finding?.remedy).toContain("--volume registry_data --owner 1:1");
});
