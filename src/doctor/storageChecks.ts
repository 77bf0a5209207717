import { LEAST_FREE } from "../config/limits.js";
import { type Config, folderPlace, setupArguments, storageFolder, storagePlace } from "../config/resolve.js";
import { error, errorOrWarning, type Finding, findingKinds } from "../finding.js";
import { readStorage, type Storage } from "../storage/disk.js";
import { splitTasks, storageOf } from "../storage/runningStorage.js";
import { tagsOfTask } from "../storage/storedTags.js";
import type { SwarmTask } from "../swarm/objects.js";
import { registryService } from "../swarm/registryUpdate.js";
import type { Checks } from "./check.js";
import type { ServiceFacts } from "./facts.js";
import { type Limits, roomLeft } from "./room.js";

const kinds = findingKinds("Storage", {
  "storage-missing": error(
    "{place} is not there",
    "On its node run as root: sh ops-scripts/setup_host.sh {setup} --owner {user}",
  ),
  "storage-split": error(
    "the registry and the service that reads its files run on several nodes, but {place} is on one node: pulls fail",
    "Name the node in registry.placement.constraints (node.hostname == …), then run hephaestus render and hephaestus deploy. If all nodes share that folder (NFS), set registry.storage.shared: true.",
  ),
  "storage-not-writable": error(
    "the registry may not write into {place}",
    "On its node run as root: sh ops-scripts/setup_host.sh {setup} --owner {user}",
  ),
  "storage-read-only": error(
    "{place} is mounted read-only",
    "See with dmesg on its node why; a file system whose disk fails is made read-only. Then mount it again.",
  ),
  "storage-full": errorOrWarning(
    "{place} is {state}",
    "Free space with hephaestus prune-tags and hephaestus gc, or enlarge the file system.",
  ),
  "inodes-full": errorOrWarning(
    "{place} has few inodes left: it is {state}",
    "Free space with hephaestus prune-tags and hephaestus gc, or enlarge the file system.",
  ),
  "tag-damaged": error(
    "the tag {tag} names no manifest",
    "Push the image again: docker push …/{tag}. Or bring it back from a backup: hephaestus restore DIRECTORY --force",
  ),
});
const { found } = kinds;

const STORAGE_LIMITS: Limits = { ...LEAST_FREE, warningBelow: 5e9 };

const INODE_LIMITS: Limits = { errorShare: 0.05, warningShare: 0.1, warningBelow: 0 };

/**
 * The storage, by what a task of the registry sees of it, and by why a task does not start.
 *
 * @param source the folder, or the name of the volume
 */
export function judgeStorage(
  source: string,
  user: string,
  storage: Storage | undefined,
  tasks: readonly SwarmTask[],
): Finding[] {
  const findings: Finding[] = [];
  const place = folderPlace(source);
  const setup = setupArguments(source).join(" ");
  const [newest] = tasks.filter(({ Status }) => Status.State !== "pending" && Status.State !== "new");
  const reason = newest?.Status.Err ?? "";
  if (/bind source path does not exist|invalid mount config/i.test(reason))
    findings.push(found("storage-missing", { place, setup, user }, `task: ${reason}`));
  if (!storage) return findings;
  const { disk, inodes, writable, readOnly } = storage;
  if (readOnly)
    findings.push(found("storage-read-only", { place }, "/proc/self/mounts of the registry's task says ro"));
  else if (!writable) {
    const evidence = `test -w in the registry's task, as ${user}, says no`;
    findings.push(found("storage-not-writable", { place, setup, user }, evidence));
  }
  for (const { state, evidence, severity } of disk ? roomLeft(disk, STORAGE_LIMITS, "bytes") : [])
    findings.push(found("storage-full", { place, state }, evidence, severity));
  for (const { state, evidence, severity } of inodes ? roomLeft(inodes, INODE_LIMITS, "inodes") : [])
    findings.push(found("inodes-full", { place, state }, evidence, severity));
  return findings;
}

/**
 * Tasks of the registry, and of what reads its files, on several nodes, though the images are in a folder of
 * one node.
 */
export function judgeSplit(config: Config, services: readonly ServiceFacts[]): Finding[] {
  const split = splitTasks(config, services);
  return split.length === 0
    ? []
    : [found("storage-split", { place: storagePlace(config) }, split.join(", "))];
}

/** Number of damaged tags that are named. */
const NAMED_TAGS = 20;

/** Tags that name no manifest: a pull of them fails. */
function judgeTags(damaged: readonly string[]): Finding[] {
  const why = "in the storage its link or its manifest is empty or missing, as after a power cut";
  const more = damaged.length > NAMED_TAGS ? `; ${damaged.length} tags are like this` : "";
  return damaged.slice(0, NAMED_TAGS).map((tag) => found("tag-damaged", { tag }, `${why}${more}`));
}

export const storageChecks: Checks = {
  kinds: [kinds],
  checks: [
    {
      title: "storage",
      needs: "manager",
      run: async ({ config, docker, services }) => {
        const all = await services();
        const registry = all.find(({ service }) => service.Spec.Name === registryService(config.stack));
        const seen = await readStorage(docker, config.stack);
        const running = registry && storageOf(registry.service, registry.tasks);
        const folder = running?.driver === "filesystem" ? running.path : storageFolder(config);
        if (running?.driver === "s3" || folder === undefined) return [];
        return [
          ...judgeSplit(config, all),
          ...judgeStorage(folder, running?.user ?? config.registry.user, seen, registry?.tasks ?? []),
        ];
      },
    },
    {
      title: "tags in the storage",
      needs: "manager",
      applies: ({ registry }) => registry.storage.driver === "filesystem",
      run: async ({ config, docker }) => judgeTags((await tagsOfTask(docker, config.stack))?.damaged ?? []),
    },
  ],
};
