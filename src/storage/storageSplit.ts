import { type Config, isSharedStorage } from "../config/resolve.js";
import type { SwarmService, SwarmTask } from "../docker/objects.js";
import { readerService, registryService } from "../operation/registryUpdate.js";

/** A service with its tasks. */
export interface ServiceTasks {
  service: Pick<SwarmService, "Spec">;
  tasks: readonly Pick<SwarmTask, "NodeID" | "Status" | "DesiredState">[];
}

/**
 * Tasks of the registry and the reader that see different folders: what is pushed on one cannot be pulled
 * from the other. Pure.
 *
 * @returns the tasks, such as "forge_reader on node abc"; none if all see the same images
 */
export function splitTasks(config: Config, services: readonly ServiceTasks[]): string[] {
  if (isSharedStorage(config)) return [];
  const names = [registryService(config.stack), readerService(config.stack)];
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
