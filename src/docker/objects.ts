import { OWNER_LABEL } from "../services/composeModel.js";
import { type Docker, dockerFailed, saysAbsent } from "./run.js";

/** The parts of Docker's API objects that are read here. Source: Docker Engine API v1.41. */

/** How a service refers to a secret: its name, and the file that it is mounted as. */
export interface SecretReference {
  SecretName: string;
  SecretID?: string;
  File?: { Name: string; UID?: string; GID?: string; Mode?: number };
}

export interface TaskTemplate {
  ContainerSpec: {
    Image: string;
    Command?: string[];
    Args?: string[];
    Env?: string[];
    /** uid:gid. */
    User?: string;
    Mounts?: Array<{ Source?: string; Target: string }>;
    Secrets?: SecretReference[];
    Configs?: Array<{ ConfigName: string; File?: { Name: string } }>;
  };
  Placement?: unknown;
  Networks?: Array<{ Target: string; Aliases?: string[] }>;
  ForceUpdate?: number;
}

export interface ServiceSpec {
  Name: string;
  Labels?: Record<string, string>;
  TaskTemplate: TaskTemplate;
  Mode: { Replicated?: { Replicas: number } };
  EndpointSpec?: { Ports?: PublishedPort[] };
}

interface PublishedPort {
  Protocol?: string;
  TargetPort?: number;
  PublishedPort?: number;
  /** ingress, where it is not there. */
  PublishMode?: string;
}

export interface SwarmService {
  ID: string;
  Version: { Index: number };
  UpdatedAt?: string;
  Spec: ServiceSpec;
  PreviousSpec?: ServiceSpec;
  UpdateStatus?: { State?: string; Message?: string };
}

export interface SwarmTask {
  ID: string;
  ServiceID: string;
  /** The node that it was given to; undefined before. */
  NodeID?: string;
  CreatedAt: string;
  DesiredState: string;
  Spec: TaskTemplate;
  /** `Timestamp` is when it came into that state. */
  Status: {
    State: string;
    Timestamp?: string;
    Err?: string;
    Message?: string;
    /** Undefined until it has one. */
    ContainerStatus?: { ContainerID?: string };
  };
}

export const STACK_LABEL = "com.docker.stack.namespace";

export const listServices = (stack: string) => [
  "service",
  "ls",
  "--quiet",
  "--filter",
  `label=${STACK_LABEL}=${stack}`,
];
export const listTasks = (services: readonly string[]) => [
  ...["service", "ps", "--quiet", "--no-trunc"],
  ...services,
];
const inspect = (type: string, ids: readonly string[]) => ["inspect", "--type", type, ...ids];

/** The words of an output, such as ids. */
export const words = (output: string) => output.split(/\s+/).filter(Boolean);

/**
 * Inspects objects that may vanish meanwhile: what is left is returned.
 *
 * @throws OperatorError when docker fails for another reason; to take that for an absence would be to take a running
 *   stack for none
 */
async function inspectAll<T>(docker: Docker, type: string, ids: readonly string[]): Promise<T[]> {
  if (ids.length === 0) return [];
  const args = inspect(type, ids);
  // Docker prints what it found, and fails if something was missing.
  const result = await docker.attempt(args);
  if (result.exitCode !== 0 && !saysAbsent(result)) throw dockerFailed(args, result);
  return JSON.parse(result.stdout.trim() || "[]") as T[];
}

/** The stack's own services, by name; others in its namespace are left out. */
export const stackServices = async (docker: Docker, stack: string): Promise<SwarmService[]> =>
  (await listedServices(docker, listServices(stack))).filter((service) => isOwnService(stack, service));

/** Whether a service is one of the stack's own: whether it carries the stack's label. Pure. */
export const isOwnService = (stack: string, { Spec }: Pick<SwarmService, "Spec">): boolean =>
  Spec.Labels?.[OWNER_LABEL] === stack;

/** All services of the Swarm. */
export const allServices = (docker: Docker): Promise<SwarmService[]> =>
  listedServices(docker, ["service", "ls", "--quiet"]);

/** Those that a list command names, by name. */
export async function listedServices(docker: Docker, list: readonly string[]): Promise<SwarmService[]> {
  const services = await inspectAll<SwarmService>(docker, "service", words(await docker.run(list)));
  return services.sort((a, b) => (a.Spec.Name < b.Spec.Name ? -1 : 1));
}

/** One of a stack's services, by its name without the stack's. */
export const stackService = (
  services: readonly SwarmService[],
  stack: string,
  name: string,
): SwarmService | undefined => services.find(({ Spec }) => Spec.Name === `${stack}_${name}`);

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
  const list = listTasks(services);
  const result = await docker.attempt(list);
  // Docker lists those of the others, and fails.
  if (result.exitCode !== 0 && !saysAbsent(result)) throw dockerFailed(list, result);
  const tasks = await inspectAll<SwarmTask>(docker, "task", words(result.stdout));
  return tasks.sort((a, b) => (a.CreatedAt < b.CreatedAt ? 1 : -1));
}

/** All tasks of one service, the newest first. */
export const serviceTasks = (docker: Docker, service: string): Promise<SwarmTask[]> =>
  tasksNamed(docker, [service]);

/** Ids of a service's containers that run on this engine. */
export const runningContainers = (docker: Docker, service: string): Promise<string[]> =>
  runningWith(docker, `com.docker.swarm.service.name=${service}`);

/** The same by the service's id: a service of this name that was removed a moment ago may still have a container. */
export const runningContainersOf = (docker: Docker, id: string): Promise<string[]> =>
  runningWith(docker, `com.docker.swarm.service.id=${id}`);

async function runningWith(docker: Docker, label: string): Promise<string[]> {
  const filters = ["--filter", `label=${label}`, "--filter", "status=running"];
  return words(await docker.run(["ps", "--quiet", "--no-trunc", ...filters]));
}

/** Names of the secrets that services use. */
export const secretNamesOf = (services: readonly Pick<SwarmService, "Spec">[]): string[] =>
  services.flatMap(
    ({ Spec }) => Spec.TaskTemplate.ContainerSpec.Secrets?.map(({ SecretName }) => SecretName) ?? [],
  );
