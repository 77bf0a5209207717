import { writeFile } from "node:fs/promises";
import bcrypt from "bcryptjs";
import type { Swarm } from "./swarm.js";
import type { Workspace } from "./workspace.js";

export const USER = "smith";
export const PASSWORD = "Anvil-and-hammer-7";

/** The lowest cost: the registry checks the password at each request of a push, and the tests make thousands. */
export const BCRYPT_COST = 4;

const HASH = bcrypt.hashSync(PASSWORD, BCRYPT_COST);

/** What a CI has: the three variables. */
export const CREDENTIALS = {
  REGISTRY_HTPASSWD: `${USER}:${HASH}\n`,
  REGISTRY_USERNAME: USER,
  REGISTRY_RAW_PASSWORD: PASSWORD,
};

/** What must not be seen anywhere. */
export const SECRETS = [PASSWORD, HASH, Buffer.from(`${USER}:${PASSWORD}`).toString("base64")];

export const DEPLOY = ["deploy", "--resolve-image", "never"];

/** Tasks are noticed at once. */
const QUICK_TO_ROLL = { probe: "1s", monitor: "1s" };

/** The product's own times: where they are tested, and where several stacks probe at once. */
export const DEFAULT_TIMES = { probe: undefined, monitor: undefined };

/** Long enough for two logins in a row on a busy machine. */
export const MEMORY_SECONDS = 5;

/** For suites that wait until the gateway asks about a password again. */
export const QUICK_TO_FORGET = { remember: `${MEMORY_SECONDS}s` };

/** Writes the config of a trial with stand-in images; lines go behind it. */
export async function writeConfig(
  workspace: Workspace,
  { images }: Swarm,
  changes: Changes = {},
): Promise<void> {
  const config = {
    version: 1,
    stack: workspace.stack,
    domain: "localhost",
    expose: "ports",
    ports: { registry: workspace.registryPort, ui: workspace.uiPort },
    ...changes.root,
    credentials: { bcryptCost: 10, ...(changes.root?.credentials as Part | undefined) },
    swarm: { endpointMode: "dnsrr", ...QUICK_TO_ROLL, ...(changes.root?.swarm as Part | undefined) },
    registry: {
      image: images.registry,
      storage: { driver: "filesystem", path: `${workspace.folder}/data` },
      ...changes.registry,
    },
    gateway: { image: images.nginx, ...changes.gateway },
    ui: { image: images.ui, ...changes.ui },
  };
  // JSON is YAML.
  await writeFile(`${workspace.folder}/hephaestus.yaml`, JSON.stringify(config, null, 2));
}

type Part = Record<string, unknown>;
export type Changes = { root?: Part; registry?: Part; gateway?: Part; ui?: Part };

/** A gateway that is meant for several nodes, so there is a reader. On one node it changes nothing else. */
export const WITH_READER: Part = { placement: { spread: ["node.labels.zone"] } };

/** Names of the stack's services, secrets or configs. */
export async function namesOf(
  workspace: Workspace,
  type: "service" | "secret" | "config",
): Promise<string[]> {
  const { stdout } = await workspace.docker(type, "ls", "--format", "{{.Name}}");
  return stdout.split("\n").filter((name) => name.startsWith(`${workspace.stack}_`));
}

/** Names of the Swarm's secrets, configs and services that belong to a stack, without its history. */
export async function swarmObjects(workspace: Workspace): Promise<string[]> {
  const names: string[] = [];
  for (const type of ["service", "secret", "config"] as const)
    for (const name of await namesOf(workspace, type))
      if (!name.startsWith(`${workspace.stack}_history_`)) names.push(`${type} ${name}`);
  return names.sort();
}

/** Ids of the stack's running containers: they change when a task restarts. */
export async function runningContainers(workspace: Workspace): Promise<string[]> {
  const filter = `label=com.docker.stack.namespace=${workspace.stack}`;
  const { stdout } = await workspace.docker("ps", "--no-trunc", "--quiet", "--filter", filter);
  return stdout.split("\n").filter(Boolean).sort();
}

const MANIFESTS =
  "application/vnd.docker.distribution.manifest.v2+json, application/vnd.oci.image.manifest.v1+json";

export interface PullCount {
  pulls: number;
  failures: string[];
}

/** Asks for a manifest anonymously again and again, until the given work is done. */
export async function pullDuring<T>(
  workspace: Workspace,
  repository: string,
  work: Promise<T>,
): Promise<{ result: T; count: PullCount }> {
  let finished = false;
  const count: PullCount = { pulls: 0, failures: [] };
  const loop = (async () => {
    while (!finished) {
      const response = await fetch(`${workspace.registryUrl}/v2/${repository}/manifests/latest`, {
        headers: { accept: MANIFESTS },
        signal: AbortSignal.timeout(10_000),
      }).catch((error: unknown) => ({ status: String(error) }));
      count.pulls++;
      if (response.status !== 200) count.failures.push(String(response.status));
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  })();
  const result = await work.finally(() => {
    finished = true;
  });
  await loop;
  return { result, count };
}
