import { setTimeout as sleep } from "node:timers/promises";
import { Secret } from "../credentials/secret.js";
import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import { createHelperService, readerServiceName, removeHelperService } from "../docker/helperService.js";
import { runningContainers, words } from "../docker/objects.js";
import { type Docker, dockerFailed } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { registryOf } from "../operation/registryUpdate.js";

/**
 * Reads an htpasswd back. The Swarm's API never gives a secret's content, but a task that has it mounted does, and
 * who may start services may look into them. Nothing is written anywhere.
 */

/** Seconds until its container has to be there: its image may have to be pulled. */
const READER_SECONDS = 90;

const catSecret = (container: string) => ["exec", container, "cat", `/run/secrets/${HTPASSWD}`];

export function createReader(stack: string, secret: string, node: string, image: string): string[] {
  const more = ["--log-driver", "none", "--secret", `source=${secret},target=${HTPASSWD}`];
  // It sleeps longer than it is needed: a run that is killed before removing it leaves a service that has ended.
  const command = ["sleep", "300"];
  return createHelperService(stack, readerServiceName(stack), [`node.id==${node}`], more, image, command);
}

/**
 * The content of an htpasswd in the Swarm.
 *
 * @param image one that is on this engine or can be pulled, with `sleep` and `cat`
 * @throws OperatorError when no task gives it
 */
export async function readHtpasswd(
  docker: Docker,
  stack: string,
  generation: number,
  image: string,
): Promise<Secret> {
  const secret = secretName(stack, HTPASSWD, generation);
  const ofRegistry = await fromRegistry(docker, stack, secret);
  if (ofRegistry) return ofRegistry;
  const name = readerServiceName(stack);
  await removeHelperService(docker, stack, name);
  const node = (await docker.run(["info", "--format", "{{.Swarm.NodeID}}"])).trim();
  const create = createReader(stack, secret, node, image);
  const created = await docker.attempt(create);
  if (created.exitCode !== 0) throw dockerFailed(create, created);
  try {
    for (const end = Date.now() + READER_SECONDS * 1000; Date.now() < end; await sleep(500)) {
      const [container] = await runningContainers(docker, name);
      const content = container && (await contentOf(docker, container));
      if (content) return content;
    }
  } finally {
    await docker.attempt(["service", "rm", name]);
  }
  throw new OperatorError(`the users in ${secret} cannot be read back`, {
    where: stack,
    remedy: `See why its service does not start (docker service ps ${name}); it needs the image ${image} on this node.`,
    exitCode: ExitCode.preflight,
  });
}

/** From a task of the registry that runs on this engine and has this very secret: during a roll there are two. */
async function fromRegistry(docker: Docker, stack: string, secret: string): Promise<Secret | undefined> {
  const label = '{{index .Config.Labels "com.docker.swarm.task.id"}}';
  const names = "{{range .Spec.ContainerSpec.Secrets}}{{println .SecretName}}{{end}}";
  for (const container of await runningContainers(docker, registryOf(stack))) {
    const task = (await docker.attempt(["inspect", "--format", label, container])).stdout.trim();
    if (task === "") continue;
    const { stdout } = await docker.attempt(["inspect", "--type", "task", "--format", names, task]);
    if (!words(stdout).includes(secret)) continue;
    const content = await contentOf(docker, container);
    if (content) return content;
  }
  return undefined;
}

async function contentOf(docker: Docker, container: string): Promise<Secret | undefined> {
  const { exitCode, stdout } = await docker.attempt(catSecret(container));
  return exitCode === 0 && stdout !== "" ? new Secret(`${stdout}\n`) : undefined;
}
