import { type HtpasswdEntry, parseHtpasswd } from "../credentials/htpasswd.js";
import { splitHtpasswd } from "../credentials/machineAccounts.js";
import type { Secret } from "../credentials/secret.js";
import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { readUserSecrets } from "../secrets/generations.js";
import { readSecretByService, secretFile } from "../secrets/readSecret.js";
import type { Session } from "../session.js";
import { readerServiceName } from "../swarm/helperService.js";
import { findTasks, runningContainers } from "../swarm/objects.js";
import { registryService } from "../swarm/registryUpdate.js";

type Stack = Pick<Session, "docker" | "config">;

/** Users' lines of the htpasswd in the Swarm, and when each password last changed, if it was recorded. */
export interface StackUsers {
  users: HtpasswdEntry[];
  changed: ReadonlyMap<string, Date>;
}

/**
 * The users of a stack that has some.
 *
 * @throws OperatorError when the stack has none yet, or they cannot be read back
 */
export async function requireUsers(stack: Stack): Promise<StackUsers> {
  const found = await readUsers(stack);
  if (found !== undefined) return found;
  throw new OperatorError("has no users yet", {
    where: stack.config.stack,
    remedy: "Deploy it first: hephaestus deploy",
    exitCode: ExitCode.preflight,
  });
}

/**
 * Reads the users back; machine accounts are left out.
 *
 * @returns undefined if the stack has no users yet
 * @throws OperatorError when they cannot be read back
 */
export async function readUsers(stack: Stack): Promise<StackUsers | undefined> {
  const { kept } = await readUserSecrets(stack);
  if (kept === undefined) return undefined;
  const { users } = splitHtpasswd(await readEntries(stack, kept.generation), undefined);
  return { users, changed: kept.facts?.changed ?? new Map() };
}

/**
 * The lines of one generation of the htpasswd: from a task of the registry, or from a service that is started
 * for it.
 *
 * @throws OperatorError when no task gives it
 */
export async function readEntries(
  { docker, config: { stack, gateway } }: Stack,
  generation: number,
): Promise<HtpasswdEntry[]> {
  const secret = secretName(stack, HTPASSWD, generation);
  const text =
    (await fromRegistry(docker, stack, secret)) ??
    (await readSecretByService(docker, stack, secret, gateway.image));
  if (text !== undefined) return parseHtpasswd(text, secret, true);
  throw new OperatorError(`the users in ${secret} cannot be read back`, {
    where: stack,
    remedy: `See why its service does not start (docker service ps ${readerServiceName(stack)}); it needs the image ${gateway.image} on this node.`,
    exitCode: ExitCode.preflight,
  });
}

/**
 * From a task of the registry that runs on this engine and has this very secret: during a roll there are two.
 */
async function fromRegistry(docker: Docker, stack: string, secret: string): Promise<Secret | undefined> {
  const containers = await runningContainers(docker, registryService(stack));
  const tasks = await findTasks(
    docker,
    containers.map(({ task }) => task),
  );
  const having = tasks.filter(({ Spec }) =>
    Spec.ContainerSpec.Secrets?.some(({ SecretName }) => SecretName === secret),
  );
  for (const { id, task } of containers) {
    const content = having.some(({ ID }) => ID === task) && (await secretFile(docker, id, HTPASSWD));
    if (content) return content;
  }
  return undefined;
}
