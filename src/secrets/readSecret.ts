import { setTimeout as sleep } from "node:timers/promises";
import { Secret } from "../credentials/secret.js";
import { dockerFailed } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import { readEngineInfo } from "../swarm/engine.js";
import {
  createHelperService,
  readerServiceName,
  removeHelperService,
  removeService,
} from "../swarm/helperService.js";
import { runningContainersOf } from "../swarm/objects.js";

/**
 * Reads a secret back. The Swarm's API never gives a secret's content, but a task that has it mounted does,
 * and who may start services may look into them. Nothing is written anywhere.
 */

/** Seconds until its container has to be there: its image may have to be pulled. */
const READER_SECONDS = 90;

/** Seconds that another run may read before its service counts as left over. */
const OTHERS_SECONDS = 10;

/** The file of the secret in the container. */
const FILE = "secret";

function createReader(stack: string, secret: string, node: string, image: string): string[] {
  const more = ["--log-driver", "none", "--secret", `source=${secret},target=${FILE}`];
  // It sleeps longer than it is needed: a run that is killed before removing it leaves a service that has
  // ended.
  const command = ["sleep", "300"];
  return createHelperService(stack, readerServiceName(stack), [`node.id==${node}`], more, image, command);
}

/**
 * The content of a secret in the Swarm, by a service that is started for it on this engine.
 *
 * @param secret its name
 * @param image one that is on this engine or can be pulled, with `sleep` and `cat`
 * @returns undefined when its task does not start
 */
export async function readSecretByService(
  docker: Docker,
  stack: string,
  secret: string,
  image: string,
): Promise<Secret | undefined> {
  const node = (await readEngineInfo(docker)).Swarm.NodeID;
  const id = await startReader(docker, stack, createReader(stack, secret, node, image));
  try {
    for (const end = Date.now() + READER_SECONDS * 1000; Date.now() < end; await sleep(500)) {
      const [container] = await runningContainersOf(docker, id);
      const content = container && (await secretFile(docker, container.id, FILE));
      if (content) return content;
    }
  } finally {
    await removeService(docker, id);
  }
  return undefined;
}

/** Starts it once nobody else reads. What a run that was killed left is removed. @returns its id */
async function startReader(docker: Docker, stack: string, create: string[]): Promise<string> {
  for (const end = Date.now() + OTHERS_SECONDS * 1000; ; await sleep(500)) {
    const created = await docker.attempt(create);
    if (created.exitCode === 0) return created.stdout.trim();
    if (!/already exists/.test(created.stderr)) throw dockerFailed(create, created);
    if (Date.now() <= end) continue;
    if (!(await removeHelperService(docker, stack, readerServiceName(stack))))
      throw dockerFailed(create, created);
  }
}

/** The content of a secret's file in a container of this engine; undefined where there is none. */
export async function secretFile(
  docker: Docker,
  container: string,
  file: string,
): Promise<Secret | undefined> {
  const { exitCode, stdout } = await docker.attempt(["exec", container, "cat", `/run/secrets/${file}`]);
  return exitCode === 0 && stdout !== "" ? new Secret(`${stdout}\n`) : undefined;
}
