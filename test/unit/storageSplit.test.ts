import { expect, test } from "vitest";
import { loadConfig } from "../../src/config/load.js";
import { type ServiceTasks, splitTasks } from "../../src/storage/runningStorage.js";
import { service, task } from "./swarmObjects.js";

const config = (storage: string) =>
  loadConfig(
    `domain: a.example\nstack: forge\nregistry: { image: "registry:3.1.2", storage: ${storage} }`,
    "f",
    {},
  ).config;
const folder = config("{ path: /srv }");
const on = (name: string, node: string, DesiredState = "running"): ServiceTasks => ({
  service: { Spec: { ...service().Spec, Name: `forge_${name}` } },
  tasks: [task("running", { NodeID: node, DesiredState })],
});
const ELSEWHERE = [on("registry", "node-a"), on("gateway", "node-b")];

test.each([
  ["gateway", folder],
  ["reader", { ...folder, gateway: { ...folder.gateway, cache: "1G" } }],
])("a registry and a %s that reads its files see two folders on two nodes", (name, of) => {
  const others = ["gateway", "reader"].filter((other) => other !== name);
  expect(
    splitTasks(of, [
      on("registry", "node-a"),
      on(name, "node-b"),
      ...others.map((other) => on(other, "node-c")),
    ]),
  ).toEqual(["forge_registry on node node-a", `forge_${name} on node node-b`]);
});

test.each<[string, ServiceTasks[]]>([
  ["both are on one node", [on("registry", "node-a"), on("gateway", "node-a")]],
  ["the task on the other node shall end", [on("registry", "node-a"), on("gateway", "node-b", "shutdown")]],
  ["something else is on the other node", [on("registry", "node-a"), on("registry-ui", "node-b")]],
])("they see one folder where %s", (_name, services) => {
  expect(splitTasks(folder, services)).toEqual([]);
});

test.each([
  "{ path: /srv, shared: true }",
  "{ driver: s3, bucket: images }",
])("they see the same images on any node with a storage such as %s", (storage) => {
  expect(splitTasks(config(storage), ELSEWHERE)).toEqual([]);
});
