import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import type { SwarmNode } from "../../src/swarm/objects.js";
import { fittingNodes, type SwarmFacts } from "../../src/swarm/swarmFacts.js";

const node = (
  ID: string,
  Role: string,
  Labels: Record<string, string> = {},
  changes: { State?: string; Availability?: string } = {},
): SwarmNode => ({
  ID,
  Spec: { Role, Availability: changes.Availability ?? "active", Labels },
  Description: {
    Hostname: `forge-${ID}`,
    Platform: { OS: "linux", Architecture: "x86_64" },
    Engine: { Labels: { zone: "cellar" } },
  },
  Status: { State: changes.State ?? "ready", Addr: `10.0.0.${ID}` },
});

const nodes = [
  node("1", "manager", { disk: "big" }),
  node("2", "worker", { disk: "small" }),
  node("3", "worker"),
  node("4", "manager", { disk: "big" }, { State: "down" }),
  node("5", "manager", { disk: "big" }, { Availability: "drain" }),
];
const facts = { nodes } as unknown as SwarmFacts;

test.each([
  [["node.role == manager"], ["1"]],
  [["node.role==manager"], ["1"]],
  [["node.role != manager"], ["2", "3"]],
  [["node.labels.disk == big"], ["1"]],
  // Swarm compares without regard to case, and takes a label that is not there for an empty one.
  [["node.labels.disk == BIG"], ["1"]],
  [["node.labels.disk != big"], ["2", "3"]],
  [["node.labels.rack == a"], []],
  [["node.hostname == forge-3"], ["3"]],
  [["node.hostname != forge-3"], ["1", "2"]],
  [["node.id == 2"], ["2"]],
  [["node.ip == 10.0.0.1"], ["1"]],
  [
    ["node.platform.arch == x86_64", "node.platform.os != windows"],
    ["1", "2", "3"],
  ],
  [["engine.labels.zone == cellar", "node.role == worker", "node.labels.disk != small"], ["3"]],
  [[], ["1", "2", "3"]],
])("the constraints %j are fit by the ready nodes %j", (constraints, ids) => {
  const source = JSON.stringify({ domain: "a.example", registry: { placement: { constraints } } });
  const { config } = loadConfig(source, "f", {});
  expect(fittingNodes(config, facts).map(({ id }) => id)).toEqual(ids);
});
