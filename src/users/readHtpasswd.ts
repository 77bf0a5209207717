import type { Secret } from "../credentials/secret.js";
import { HTPASSWD, secretName } from "../credentials/secretKinds.js";
import { readerServiceName } from "../docker/helperService.js";
import { runningContainers, words } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { registryOf } from "../operation/registryUpdate.js";
import { readSecretByService, secretFile } from "./readSecret.js";

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
  const ofService = await readSecretByService(docker, stack, secret, image);
  if (ofService) return ofService;
  const name = readerServiceName(stack);
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
    const content = await secretFile(docker, container, HTPASSWD);
    if (content) return content;
  }
  return undefined;
}
