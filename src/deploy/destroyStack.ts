import { setTimeout as sleep } from "node:timers/promises";
import { type Config, folderPlace, storageFolder, storagePlace } from "../config/resolve.js";
import { engineDelete } from "../docker/engineApi.js";
import { isFinal } from "../docker/failures.js";
import type { Docker } from "../docker/run.js";
import { ExitCode, OperatorError } from "../errors.js";
import type { Session } from "../session.js";
import { type FolderStorage, runningStorage } from "../storage/runningStorage.js";
import { listConfigs } from "../swarm/configs.js";
import { runJob } from "../swarm/jobs.js";
import { helperServices } from "../swarm/leftovers.js";
import { lockName } from "../swarm/lock/lockObjects.js";
import { withLock } from "../swarm/lock/stackLock.js";
import { labelledBy, stackServices } from "../swarm/objects.js";
import { ownNetworks } from "../swarm/ownership.js";
import { stackSecretNames } from "../swarm/secrets.js";
import { removeNetworks } from "../swarm/stackUpdate.js";
import { inStep } from "../terminal/inStep.js";

/** Time limit for tasks to end, in seconds: an upload may be in progress. */
const END_SECONDS = 120;

/** The registry's own folder below the storage: nothing else there is ever touched. */
const DATA = "docker";

async function removeAllServices({ config, docker }: Session): Promise<string> {
  const own = await stackServices(docker, config.stack);
  const names = [...own, ...(await helperServices(docker, config.stack))].map(({ Spec }) => Spec.Name);
  const networks = await ownNetworks(docker, config.stack);
  if (names.length + networks.length === 0) return "none there";
  for (const name of names) await engineDelete(docker, `/services/${name}`);
  const left = await removeNetworks(docker, networks, END_SECONDS);
  if (left.length === 0) return `removed ${[...names, ...networks].join(", ")}`;
  throw new OperatorError(`${left.join(", ")} cannot be removed`, {
    where: "docker network rm",
    remedy: "See what uses it with: docker network inspect --verbose, and run hephaestus destroy again.",
    exitCode: ExitCode.rollout,
  });
}

async function removeConfigs({ config: { stack }, docker }: Session): Promise<string> {
  const names = (await listConfigs(docker, labelledBy(stack))).map(({ Spec }) => Spec.Name);
  return removeAll(
    docker,
    "configs",
    names.filter((name) => name !== lockName(stack)),
  );
}

/**
 * Removes what the registry stored: a job on its node, as root, on nothing but its folder.
 *
 * @param storage where the registry ran; undefined where it never did: then the config says where its images
 * would be
 */
async function removeData(session: Session, storage: FolderStorage | undefined): Promise<string> {
  const { config, options, reporter } = session;
  const path = storage?.path ?? storageFolder(config) ?? "";
  const job = {
    name: "remove-data",
    image: config.gateway.image,
    command: ["sh", "-c", `rm -rf /storage/${DATA} && echo removed`],
    user: "0:0",
    mounts: [{ source: path, target: "/storage", readOnly: false }],
    constraints: storage ? [`node.id==${storage.node.id}`] : config.registry.placement.constraints,
  };
  await runJob(session, config.stack, job, options.timeoutSeconds, reporter.progress);
  return `removed ${DATA} from ${folderPlace(path)}${storage ? ` on ${storage.node.hostname}` : ""}`;
}

/**
 * Removes the stack, its secrets and its configs, and nothing else in the Swarm. What the registry stored
 * stays, unless it is asked for.
 *
 * @param withData whether the stored images go too
 */
export async function destroyStack(session: Session, withData: boolean): Promise<void> {
  const { config, docker } = session;
  await withLock(session, config.stack, async () => {
    // Read while the registry exists.
    const storage = withData ? await runningStorage(docker, config.stack) : undefined;
    if (withData && (storage?.driver === "s3" || (!storage && !storageFolder(config))))
      throw inBucket(config);
    const step = (id: string, title: string, work: () => Promise<string>) =>
      inStep(session.reporter, { id, title }, work);
    await step("services", "Services", () => removeAllServices(session));
    if (withData) {
      const folder = storage?.driver === "filesystem" ? storage : undefined;
      await step("data", "Data", () => removeData(session, folder));
    }
    await step("secrets", "Secrets", async () =>
      removeAll(docker, "secrets", await stackSecretNames(docker, config.stack)),
    );
    await step("configs", "Configs", () => removeConfigs(session));
  });
}

const inBucket = (config: Config): OperatorError =>
  new OperatorError("does not delete images in a bucket", {
    where: config.stack,
    remedy: `Nothing was changed. Run hephaestus destroy without --data, then empty ${storagePlace(config)} with your provider's tools.`,
    exitCode: ExitCode.usage,
  });

/** A task that is ending still uses its objects, so removal is retried for a while. */
async function removeAll(
  docker: Docker,
  type: "secrets" | "configs",
  names: readonly string[],
): Promise<string> {
  if (names.length === 0) return "none there";
  let left = [...names];
  let reason = "";
  for (const end = Date.now() + END_SECONDS * 1000; left.length > 0 && Date.now() < end; await sleep(500)) {
    const still: string[] = [];
    for (const name of left) {
      try {
        await engineDelete(docker, `/${type}/${name}`);
      } catch (error) {
        if (isFinal(error)) throw error;
        still.push(name);
        reason = (error as OperatorError).message;
      }
    }
    left = still;
    if (left.length === 0) break;
  }
  if (left.length === 0) return `removed ${names.join(", ")}`;
  throw new OperatorError(`${left.join(", ")} cannot be removed: ${reason}`, {
    where: `${type} of the Swarm`,
    remedy: "See which service uses it, and run hephaestus destroy again.",
    exitCode: ExitCode.docker,
  });
}
