import { describe, expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import type { Docker } from "../../src/docker/run.js";
import { ExitCode } from "../../src/errors.js";
import { storageOf } from "../../src/storage/runningStorage.js";
import { requireStorageNode } from "../../src/storage/storageNode.js";

const { config } = loadConfig(
  "domain: a.example\nexpose: ports\nregistry: { placement: { constraints: ['node.labels.disk == big'] } }",
  "f",
  {},
);

const node = (ID: string, Labels: Record<string, string> = {}, Availability = "active") => ({
  ID,
  Spec: { Role: "manager", Availability, Labels },
  Description: { Hostname: `host-${ID}` },
  Status: { State: "ready" },
});

/** A docker that answers as the given node of a Swarm does. */
function dockerOf(nodeId: string, nodes: unknown[], isManager = true): Docker {
  const answer = (args: readonly string[]): string => {
    if (args[0] === "service") return "";
    if (args[0] === "version") return JSON.stringify({ Version: "28.0.0", ApiVersion: "1.48" });
    if (args.at(-1) === "{{.Swarm.NodeID}}") return `${nodeId}\n`;
    if (args[0] === "info")
      return JSON.stringify({ LocalNodeState: "active", ControlAvailable: isManager, NodeID: nodeId });
    return args[0] === "node" ? "ids" : JSON.stringify(nodes);
  };
  return {
    run: async (args) => answer(args),
    attempt: async (args) => ({ exitCode: 0, stdout: answer(args), stderr: "" }),
  };
}

const nodes = [node("n1"), node("n2", { disk: "big" })];

test("the node with the storage may be another one than the manager, if its docker is named", async () => {
  const manager = dockerOf("n1", nodes);
  expect(await requireStorageNode(manager, dockerOf("n2", nodes, false), config)).toEqual({
    hostname: "host-n2",
    config,
  });
  await expect(requireStorageNode(manager, manager, config)).rejects.toMatchObject({
    message: "the storage is on host-n2, and docker talks to another node",
    remedy: expect.stringContaining("--storage-context"),
    exitCode: ExitCode.preflight,
  });
});

test("where no node fits, or this one is no manager, it says so", async () => {
  const drained = [node("n2", { disk: "big" }, "drain")];
  const alone = dockerOf("n2", drained);
  await expect(requireStorageNode(alone, alone, config)).rejects.toThrow(/no ready node fits/);
  const worker = dockerOf("n2", nodes, false);
  await expect(requireStorageNode(worker, worker, config)).rejects.toThrow(/not a Swarm manager/);
});

describe("the storage that runs", () => {
  const service = {
    Spec: {
      Name: "forge_registry",
      Mode: {},
      TaskTemplate: {
        ContainerSpec: {
          Image: "registry:2.8.3",
          User: "5:6",
          Mounts: [{ Target: "/tmp" }, { Source: "/srv/images", Target: "/var/lib/registry" }],
        },
      },
    },
  };
  const task = (NodeID: string | undefined, State: string) => ({
    ...(NodeID === undefined ? {} : { NodeID }),
    Status: { State },
  });

  test("is where the running task is, whatever newer tasks wait for", () => {
    const tasks = [
      task(undefined, "pending"),
      task("n3", "rejected"),
      task("n1", "running"),
      task("n2", "shutdown"),
    ];
    expect(storageOf(service, tasks)).toEqual({ nodeId: "n1", path: "/srv/images", user: "5:6" });
  });

  test("is where the last task was that started, if none runs", () => {
    const tasks = [task("n3", "assigned"), task("n2", "failed"), task("n1", "shutdown")];
    expect(storageOf(service, tasks)?.nodeId).toBe("n2");
  });

  test("is not known where no task ever started, or the service has no such mount", () => {
    expect(storageOf(service, [task(undefined, "new")])).toBeUndefined();
    const bare = { Spec: { ...service.Spec, TaskTemplate: { ContainerSpec: { Image: "x", User: "5:6" } } } };
    expect(storageOf(bare, [task("n1", "running")])).toBeUndefined();
  });
});
