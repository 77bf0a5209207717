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
const ELSEWHERE = [on("registry", "node-a"), on("reader", "node-b")];

test("a registry and a reader on two nodes see two folders", () => {
  expect(splitTasks(folder, ELSEWHERE)).toEqual([
    "forge_registry on node node-a",
    "forge_reader on node node-b",
  ]);
});

test.each<[string, ServiceTasks[]]>([
  ["both are on one node", [on("registry", "node-a"), on("reader", "node-a")]],
  ["the task on the other node shall end", [on("registry", "node-a"), on("reader", "node-b", "shutdown")]],
  ["something else is on the other node", [on("registry", "node-a"), on("gateway", "node-b")]],
])("they see one folder where %s", (_name, services) => {
  expect(splitTasks(folder, services)).toEqual([]);
});

test.each([
  "{ path: /srv, shared: true }",
  "{ driver: s3, bucket: images }",
])("they see the same images on any node with a storage such as %s", (storage) => {
  expect(splitTasks(config(storage), ELSEWHERE)).toEqual([]);
});
