import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import type { DockerProcess, StartDocker } from "../docker/stream.js";
import { LABELS } from "../docker/swarmSecrets.js";

/** Where the storage is mounted in the helper container. */
const STORAGE = "/storage";

export const storageContainerName = (stack: string): string => `${stack}_storage`;

/**
 * A container that works on the registry's storage as the registry itself would: its user, no network, nothing else to see. It
 * uses the gateway's image, which is on the node, and only what busybox and GNU tools have alike.
 *
 * @param script of a POSIX shell, in the storage folder
 */
export function runOnStorage(
  { stack, gateway, registry }: Config,
  script: string,
  readOnly: boolean,
): string[] {
  return [
    ...["run", "--rm", "--interactive", "--name", storageContainerName(stack)],
    ...["--label", `${LABELS.stack}=${stack}`],
    // What is read goes through the output, and shall not lie in a log.
    ...["--log-driver", "none", "--network", "none"],
    ...["--read-only", "--cap-drop", "ALL", "--security-opt", "no-new-privileges"],
    ...["--user", registry.user],
    "--mount",
    `type=bind,source=${registry.storage.path},target=${STORAGE}${readOnly ? ",readonly" : ""}`,
    ...["--entrypoint", "sh"],
    gateway.image,
    "-c",
    `cd ${STORAGE} || exit 2\n${script}`,
  ];
}

export interface StorageAccess {
  config: Config;
  start: StartDocker;
  /** The docker of the node with the storage, which still works after an interruption: to remove the container. */
  storageDocker: Docker;
}

/** Starts the container; one that a killed run has left is removed first. */
export async function startOnStorage(
  { config, start, storageDocker }: StorageAccess,
  script: string,
  readOnly: boolean,
): Promise<DockerProcess> {
  await removeStorageContainer(storageDocker, config.stack);
  return start(runOnStorage(config, script, readOnly));
}

async function removeStorageContainer(docker: Docker, stack: string): Promise<void> {
  await docker.attempt(["rm", "--force", storageContainerName(stack)]);
}

/**
 * Ends the container, whatever it does. Docker's own program goes first: the engine does not remove a container whose output
 * waits for a reader.
 */
export async function endOnStorage(
  { stdin, stdout, kill, ended }: DockerProcess,
  { storageDocker, config }: StorageAccess,
): Promise<void> {
  stdin.destroy();
  kill();
  stdout.destroy();
  await ended;
  await removeStorageContainer(storageDocker, config.stack);
}
