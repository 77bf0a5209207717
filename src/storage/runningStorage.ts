import { type Config, isSharedStorage, readsFiles } from "../config/resolve.js";
import type { StorageSecret } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { STORAGE } from "../services/storageParts.js";
import {
  findNode,
  type SwarmService,
  type SwarmTask,
  serviceTasks,
  stackService,
  stackServices,
} from "../swarm/objects.js";
import { registryService } from "../swarm/registryUpdate.js";
import type { NamedNode } from "../swarm/swarmFacts.js";

/** Where the registry that runs keeps its images. The config on disk may say something else. */
export type RunningStorage = FolderStorage | BucketStorage;

export interface FolderStorage {
  driver: "filesystem";
  /** The node of its task. */
  node: NamedNode;
  /** The folder on that node, or the name of a volume there. */
  path: string;
  /** uid:gid that owns it. */
  user: string;
}

/** A bucket, which every node reaches. The registry's own config says which. */
export interface BucketStorage {
  driver: "s3";
  user: string;
}

/** Tasks in these states were on a node that had the storage. */
const NOT_STARTED = new Set(["new", "pending", "assigned", "rejected", "orphaned"]);

/**
 * The storage by the service and the tasks of the registry, from any manager. A registry that is down counts
 * too: its last task that started says where the images are.
 *
 * @returns undefined if the stack has no registry, or none of its tasks has ever started
 * @throws OperatorError when Docker does not answer
 */
export async function runningStorage(docker: Docker, stack: string): Promise<RunningStorage | undefined> {
  const registry = stackService(await stackServices(docker, stack), stack, "registry");
  return registry && storageOfRegistry(docker, registry);
}

/**
 * The storage of a registry whose service is known already.
 *
 * @returns undefined if none of its tasks has ever started
 */
export async function storageOfRegistry(
  docker: Docker,
  registry: SwarmService,
): Promise<RunningStorage | undefined> {
  const facts = storageOf(registry, await serviceTasks(docker, registry.Spec.Name));
  if (facts === undefined || facts.driver === "s3") return facts;
  const { nodeId, ...rest } = facts;
  const hostname = (await findNode(docker, nodeId))?.Description.Hostname ?? nodeId;
  return { ...rest, node: { id: nodeId, hostname } };
}

/**
 * What a service and its tasks say about the storage. Pure.
 *
 * @param tasks the newest first
 */
export function storageOf(
  { Spec }: Pick<SwarmService, "Spec">,
  tasks: readonly Pick<SwarmTask, "NodeID" | "Status">[],
): BucketStorage | (Omit<FolderStorage, "node"> & { nodeId: string }) | undefined {
  const { Mounts = [], Secrets = [], User } = Spec.TaskTemplate.ContainerSpec;
  if (User !== undefined && Secrets.some(({ File }) => File?.Name === ("s3" satisfies StorageSecret)))
    return { driver: "s3", user: User };
  const path = Mounts.find(({ Target }) => Target === STORAGE)?.Source;
  const started = tasks.filter(({ NodeID, Status }) => NodeID && !NOT_STARTED.has(Status.State));
  const task = started.find(({ Status }) => Status.State === "running") ?? started[0];
  if (path === undefined || User === undefined || task?.NodeID === undefined) return undefined;
  return { driver: "filesystem", nodeId: task.NodeID, path, user: User };
}

/** A service with its tasks. */
export interface ServiceTasks {
  service: Pick<SwarmService, "Spec">;
  tasks: readonly Pick<SwarmTask, "NodeID" | "Status" | "DesiredState">[];
}

/**
 * Tasks of the registry and of the service that reads its files that see different folders: what is pushed on
 * one cannot be pulled from the other. Pure.
 *
 * @returns the tasks, such as "forge_reader on node abc"; none if all see the same images
 */
export function splitTasks(config: Config, services: readonly ServiceTasks[]): string[] {
  if (isSharedStorage(config)) return [];
  const reads = readsFiles(config) ? "gateway" : "reader";
  const names = [registryService(config.stack), `${config.stack}_${reads}`];
  const running = services
    .filter(({ service }) => names.includes(service.Spec.Name))
    .flatMap(({ service, tasks }) =>
      tasks
        .filter(({ Status, DesiredState }) => Status.State === "running" && DesiredState === "running")
        .map(({ NodeID = "" }) => ({ name: service.Spec.Name, node: NodeID })),
    );
  if (new Set(running.map(({ node }) => node)).size < 2) return [];
  return running.map(({ name, node }) => `${name} on node ${node.slice(0, 12)}`);
}
