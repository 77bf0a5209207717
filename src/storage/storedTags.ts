import { dockerFailed } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import { loadJobScript } from "../render/templates.js";
import { STORAGE } from "../services/storageParts.js";
import type { Session } from "../session.js";
import { runJob } from "../swarm/jobs.js";
import { runningContainers } from "../swarm/objects.js";
import { registryService } from "../swarm/registryUpdate.js";
import { runningStorage } from "./runningStorage.js";

/** Seconds for a look at a storage with many tags, in a job that has to start first, and in a task. */
const JOB_SECONDS = 120;
const TASK_SECONDS = 30;

/** What the storage holds, which may be more than the front door shows. */
export interface StoredTags {
  /** Repositories with tags. */
  repositories: string[];
  /** Tags that name no manifest, as repository:tag. A power cut leaves such. */
  damaged: string[];
}

/**
 * Looks at the folder of the running registry, in a job on its node. The caller holds the stack's lock.
 *
 * @returns undefined if the images are not in a folder
 * @throws OperatorError when the list cannot be read to its end
 */
export async function readStoredTags(session: Session): Promise<(StoredTags & { node: string }) | undefined> {
  const { docker, config, reporter } = session;
  const storage = await runningStorage(docker, config.stack);
  if (storage?.driver !== "filesystem") return undefined;
  const job = {
    name: "look",
    image: config.gateway.image,
    command: ["/bin/sh", "-c", loadJobScript("tags")],
    user: storage.user,
    mounts: [{ source: storage.path, target: STORAGE, readOnly: true }],
    constraints: [`node.id==${storage.node.id}`],
  };
  const lines = await runJob(session, config.stack, job, JOB_SECONDS, reporter.progress);
  return { ...parseStoredTags(lines), node: storage.node.hostname };
}

/**
 * Looks at the folder from inside a task of the registry on this engine. Nothing is started or written.
 *
 * @returns undefined if none runs here
 * @throws OperatorError when the list cannot be read to its end
 */
export async function tagsOfTask(docker: Docker, stack: string): Promise<StoredTags | undefined> {
  const [container] = await runningContainers(docker, registryService(stack));
  if (container === undefined) return undefined;
  const command = ["exec", container.id, "/bin/sh", "-c", loadJobScript("tags")];
  const result = await docker.attempt(command, { timeout: TASK_SECONDS * 1000 });
  if (result.exitCode !== 0) throw dockerFailed(command, result);
  return parseStoredTags(result.stdout.split("\n"));
}

/**
 * Reads what templates/jobs/tags.sh printed.
 *
 * @throws OperatorError if some of it is missing
 */
export function parseStoredTags(lines: readonly string[]): StoredTags {
  const after = (word: string) =>
    lines.filter((line) => line.startsWith(`${word} `)).map((line) => line.slice(word.length + 1));
  const [repositories, [total]] = [after("has"), after("repositories")];
  if (Number(total) === repositories.length) return { repositories, damaged: after("damaged") };
  throw new OperatorError("the list of the repositories in the storage is incomplete", {
    where: "storage",
    remedy:
      "See with docker service logs whether the storage's node gives its logs, then run the command again.",
    exitCode: ExitCode.docker,
  });
}
