import type { SwarmService, SwarmTask, TaskTemplate } from "../../src/swarm/objects.js";
import type { SwarmFacts } from "../../src/swarm/swarmFacts.js";

/** When the deploy of these tests began. */
export const SINCE = "2026-01-01T00:00:00Z";
export const template = (image = "registry:2") =>
  ({ ContainerSpec: { Image: image }, ForceUpdate: 0 }) as TaskTemplate;

export const service = (changes: Partial<SwarmService> = {}): SwarmService => ({
  ID: "s1",
  Version: { Index: 1 },
  Spec: { Name: "forge_registry", TaskTemplate: template(), Mode: { Replicated: { Replicas: 1 } } },
  ...changes,
});

export const task = (state: string, changes: Partial<SwarmTask> = {}): SwarmTask => ({
  ID: "t1",
  ServiceID: "s1",
  CreatedAt: "2026-01-01T00:00:01Z",
  DesiredState: state === "rejected" || state === "failed" ? "shutdown" : "running",
  Spec: template(),
  Status: { State: state, ...(state === "rejected" ? { Err: "No such image: x" } : {}) },
  ...changes,
});

export const node = (ID: string, Labels: Record<string, string> = {}) => ({
  ID,
  Spec: { Role: "manager", Availability: "active", Labels },
  Description: { Hostname: `host-${ID}` },
  Status: { State: "ready" },
});

/** A Swarm of one node in which nothing is wrong. */
export const swarmFacts = (changes: Partial<SwarmFacts> = {}): SwarmFacts => ({
  serverVersion: "28.0.0",
  apiVersion: "1.48",
  swarmState: "active",
  isManager: true,
  nodeId: "n1",
  network: { id: "net1", scope: "swarm", driver: "overlay" },
  nodes: [node("n1")],
  hasIpvs: true,
  ...changes,
});

/** A service of this name, with labels. */
export const named = (name: string, labels: Record<string, string> = {}, id = name): SwarmService => {
  const base = service({ ID: id });
  return { ...base, Spec: { ...base.Spec, Name: name, Labels: labels } };
};
