import { z } from "zod";
import { engineFind, engineGet, enginePost, type Filters, listPath } from "../docker/engineApi.js";
import type { Docker } from "../docker/run.js";
import { OWNER_LABEL } from "../services/composeModel.js";

/**
 * The parts of the engine's objects that are read. Services of others are read too, so what may be missing is
 * optional.
 */

export const LABELS_OF = z.record(z.string(), z.string()).nullish();

/** Where a service has a secret or a config. */
const FILE = z.object({ Name: z.string() }).optional();

const SECRET_REFERENCE = z.object({
  SecretName: z.string(),
  SecretID: z.string().optional(),
  File: FILE,
});

/** How a service refers to a secret: its name, and the file that it is mounted as. */
export type SecretReference = z.infer<typeof SECRET_REFERENCE>;

const TASK_TEMPLATE = z.object({
  ContainerSpec: z.object({
    Image: z.string(),
    Args: z.array(z.string()).optional(),
    Env: z.array(z.string()).optional(),
    /** uid:gid. */
    User: z.string().optional(),
    Mounts: z.array(z.object({ Source: z.string().optional(), Target: z.string() })).optional(),
    Secrets: z.array(SECRET_REFERENCE).optional(),
    Configs: z.array(z.object({ ConfigName: z.string(), File: FILE })).optional(),
  }),
  Placement: z.unknown().optional(),
  /** any, if it is not there. */
  RestartPolicy: z.object({ Condition: z.string().optional() }).optional(),
  ForceUpdate: z.number().optional(),
  Networks: z.array(z.object({ Target: z.string(), Aliases: z.array(z.string()).optional() })).optional(),
});

export type TaskTemplate = z.infer<typeof TASK_TEMPLATE>;

const PORT = z.object({
  Protocol: z.string().optional(),
  TargetPort: z.number().optional(),
  PublishedPort: z.number().optional(),
  /** ingress, if it is not there. */
  PublishMode: z.string().optional(),
});

const SERVICE_SPEC = z.object({
  Name: z.string(),
  Labels: z.record(z.string(), z.string()).optional(),
  TaskTemplate: TASK_TEMPLATE,
  Mode: z.object({ Replicated: z.object({ Replicas: z.number().optional() }).optional() }),
  EndpointSpec: z.object({ Ports: z.array(PORT).optional() }).optional(),
});

export type ServiceSpec = z.infer<typeof SERVICE_SPEC>;

const SERVICE = z.object({
  ID: z.string(),
  Version: z.object({ Index: z.number() }),
  UpdatedAt: z.string().optional(),
  Spec: SERVICE_SPEC,
  PreviousSpec: SERVICE_SPEC.optional(),
  UpdateStatus: z.object({ State: z.string().optional(), Message: z.string().optional() }).optional(),
});

export type SwarmService = z.infer<typeof SERVICE>;

const TASK = z.object({
  ID: z.string(),
  ServiceID: z.string(),
  /** The node that it was given to; undefined before. */
  NodeID: z.string().optional(),
  CreatedAt: z.string(),
  DesiredState: z.string(),
  Spec: TASK_TEMPLATE,
  Status: z.object({
    State: z.string(),
    /** When it came into that state. */
    Timestamp: z.string().optional(),
    Err: z.string().optional(),
    Message: z.string().optional(),
    /** Undefined until it has one. */
    ContainerStatus: z.object({ ContainerID: z.string().optional() }).optional(),
  }),
});

export type SwarmTask = z.infer<typeof TASK>;

const NODE = z.object({
  ID: z.string(),
  Spec: z.object({
    Role: z.string(),
    Availability: z.string(),
    Labels: LABELS_OF,
  }),
  Description: z.object({
    /** Undefined until the node has said it. */
    Hostname: z.string().optional(),
    Platform: z.object({ OS: z.string().optional(), Architecture: z.string().optional() }).optional(),
    Engine: z.object({ Labels: LABELS_OF }).optional(),
  }),
  Status: z.object({ State: z.string(), Addr: z.string().optional() }),
});

export type SwarmNode = z.infer<typeof NODE>;

const NETWORK = z.object({
  Id: z.string(),
  Name: z.string(),
  Scope: z.string(),
  Driver: z.string(),
  Options: LABELS_OF,
  Labels: LABELS_OF,
});

export type EngineNetwork = z.infer<typeof NETWORK>;

const CONTAINER = z.object({ Id: z.string(), Labels: LABELS_OF });

export const STACK_LABEL = "com.docker.stack.namespace";

/** The filter for what is in the namespace of a stack. */
export const inNamespace = (stack: string): Filters => ({ label: [`${STACK_LABEL}=${stack}`] });

/** The filter for what carries the stack's label: its own, and what hephaestus has beside it. */
export const labelledBy = (stack: string): Filters => ({ label: [`${OWNER_LABEL}=${stack}`] });

/** Services by name; all of the Swarm without filters. The engine leaves out those that run a plugin. */
export async function listServices(docker: Docker, filters: Filters = {}): Promise<SwarmService[]> {
  const services = await engineGet(docker, listPath("/services", filters), z.array(SERVICE));
  return services.sort((a, b) => (a.Spec.Name < b.Spec.Name ? -1 : 1));
}

/** The stack's own services, by name; others in its namespace are left out. */
export const stackServices = async (docker: Docker, stack: string): Promise<SwarmService[]> =>
  (await listServices(docker, inNamespace(stack))).filter((service) => isOwnService(stack, service));

/** Whether a service is one of the stack's own: whether it carries the stack's label. Pure. */
export const isOwnService = (stack: string, { Spec }: Pick<SwarmService, "Spec">): boolean =>
  Spec.Labels?.[OWNER_LABEL] === stack;

/** One of a stack's services, by its name without the stack's. */
export const stackService = (
  services: readonly SwarmService[],
  stack: string,
  name: string,
): SwarmService | undefined => services.find(({ Spec }) => Spec.Name === `${stack}_${name}`);

/**
 * Changes what the tasks of a service are made from. It keeps the login for its image that it was deployed
 * with.
 */
export const updateTasks = (
  docker: Docker,
  { ID, Version, Spec }: SwarmService,
  change: Partial<TaskTemplate>,
): Promise<void> =>
  enginePost(docker, `/services/${ID}/update?version=${Version.Index}&registryAuthFrom=spec`, {
    ...Spec,
    TaskTemplate: { ...Spec.TaskTemplate, ...change },
  });

/**
 * The tasks of several services, with one look.
 *
 * @returns what gives those of each service, the newest first
 */
export async function tasksOf(
  docker: Docker,
  services: readonly SwarmService[],
): Promise<(service: SwarmService) => SwarmTask[]> {
  const tasks = await tasksNamed(
    docker,
    services.map(({ Spec }) => Spec.Name),
  );
  return ({ ID }) => tasks.filter(({ ServiceID }) => ServiceID === ID);
}

/** All tasks of services that the Swarm remembers, the newest first; a service that is gone has none. */
async function tasksNamed(docker: Docker, services: readonly string[]): Promise<SwarmTask[]> {
  if (services.length === 0) return [];
  const tasks = await engineFind(docker, listPath("/tasks", { service: services }), z.array(TASK));
  if (tasks !== undefined) return tasks.sort((a, b) => (a.CreatedAt < b.CreatedAt ? 1 : -1));
  // The engine lists none if one of the services is gone.
  if (services.length === 1) return [];
  return (await Promise.all(services.map((service) => tasksNamed(docker, [service])))).flat();
}

/** All tasks of one service, the newest first. */
export const serviceTasks = (docker: Docker, service: string): Promise<SwarmTask[]> =>
  tasksNamed(docker, [service]);

/** Tasks by their ids; one that the Swarm has forgotten is left out. */
export const findTasks = async (docker: Docker, ids: readonly string[]): Promise<SwarmTask[]> =>
  ids.length === 0 ? [] : engineGet(docker, listPath("/tasks", { id: ids }), z.array(TASK));

export const listNodes = (docker: Docker): Promise<SwarmNode[]> => engineGet(docker, "/nodes", z.array(NODE));

export const findNode = (docker: Docker, id: string): Promise<SwarmNode | undefined> =>
  engineFind(docker, `/nodes/${id}`, NODE);

export const listNetworks = (docker: Docker, filters: Filters = {}): Promise<EngineNetwork[]> =>
  engineGet(docker, listPath("/networks", filters), z.array(NETWORK));

/** @returns undefined if there is none of that name */
export const findNetwork = (docker: Docker, name: string): Promise<EngineNetwork | undefined> =>
  engineFind(docker, `/networks/${encodeURIComponent(name)}`, NETWORK);

/** A container, and the task that it belongs to. */
export interface TaskContainer {
  id: string;
  task: string;
}

/** A service's containers that run on this engine. */
export const runningContainers = (docker: Docker, service: string): Promise<TaskContainer[]> =>
  runningWith(docker, `com.docker.swarm.service.name=${service}`);

/**
 * The same by the service's id: a service of this name that was removed a moment ago may still have a
 * container.
 */
export const runningContainersOf = (docker: Docker, id: string): Promise<TaskContainer[]> =>
  runningWith(docker, `com.docker.swarm.service.id=${id}`);

async function runningWith(docker: Docker, label: string): Promise<TaskContainer[]> {
  const path = listPath("/containers/json", { label: [label], status: ["running"] });
  const found = await engineGet(docker, path, z.array(CONTAINER));
  return found.map(({ Id, Labels }) => ({ id: Id, task: Labels?.["com.docker.swarm.task.id"] ?? "" }));
}

/** Names of the secrets that services use. */
export const secretNamesOf = (services: readonly Pick<SwarmService, "Spec">[]): string[] =>
  services.flatMap(
    ({ Spec }) => Spec.TaskTemplate.ContainerSpec.Secrets?.map(({ SecretName }) => SecretName) ?? [],
  );
