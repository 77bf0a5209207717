import { LEAST_FREE } from "../config/limits.js";
import { type Config, storageFolder, storagePlace } from "../config/resolve.js";
import type { SwarmTask } from "../docker/objects.js";
import type { Disk } from "../host/freeSpace.js";
import type { FindingCode } from "../operation/findingCodes.js";
import { registryService } from "../operation/registryUpdate.js";
import { readStorage, type Storage } from "../storage/disk.js";
import { storageOf } from "../storage/runningStorage.js";
import { splitTasks } from "../storage/storageSplit.js";
import { tagsOfTask } from "../storage/storedTags.js";
import type { Check } from "./check.js";
import type { ServiceFacts } from "./facts.js";
import { error, type Finding, warning } from "./finding.js";

/** How little may be free: a share of all, or an amount. */
export interface Limits {
  errorShare: number;
  warningShare: number;
  /** Bytes, or a number of inodes. */
  warningBelow: number;
}

const STORAGE_LIMITS: Limits = { ...LEAST_FREE, warningBelow: 5e9 };

const INODE_LIMITS: Limits = { errorShare: 0.05, warningShare: 0.1, warningBelow: 0 };

/** Images and logs of the whole engine: less than this, and tasks do not start. */
const ENGINE_LIMITS: Limits = { errorShare: 0.01, warningShare: 0.05, warningBelow: 1e9 };

const MAKE_ROOM = "Free space with hephaestus prune-tags and hephaestus gc, or enlarge the file system.";

/** Whether a file system runs out of bytes or inodes. */
function judgeRoom(
  id: FindingCode,
  what: string,
  { size, free }: Disk,
  limits: Limits,
  unit: "bytes" | "inodes",
  remedy: string,
): Finding[] {
  const share = free / size;
  const amount = (value: number) => (unit === "bytes" ? `${(value / 1e9).toFixed(2)} GB` : `${value} inodes`);
  const evidence = `${amount(free)} free of ${amount(size)} (${Math.floor(share * 100)} %)`;
  if (share < limits.errorShare) return [error(id, `${what} is nearly full`, evidence, remedy)];
  if (share < limits.warningShare || free < limits.warningBelow)
    return [warning(id, `${what} is running full`, evidence, remedy)];
  return [];
}

/** The storage, by what a task of the registry sees of it, and by why a task does not start. */
export function judgeStorage(
  path: string,
  user: string,
  storage: Storage | undefined,
  tasks: readonly SwarmTask[],
): Finding[] {
  const setup = `On its node run as root: sh ops-scripts/setup_host.sh --path ${path} --owner ${user}`;
  const findings: Finding[] = [];
  const [newest] = tasks.filter(({ Status }) => Status.State !== "pending" && Status.State !== "new");
  const reason = newest?.Status.Err ?? "";
  if (/bind source path does not exist|invalid mount config/i.test(reason))
    findings.push(error("storage-missing", `the folder ${path} is not there`, `task: ${reason}`, setup));
  if (!storage) return findings;
  const { disk, inodes, writable, readOnly } = storage;
  if (readOnly) {
    findings.push(
      error(
        "storage-read-only",
        `${path} is mounted read-only`,
        "/proc/self/mounts of the registry's task says ro",
        "See with dmesg on its node why; a file system whose disk fails is made read-only. Then mount it again.",
      ),
    );
  } else if (!writable) {
    findings.push(
      error(
        "storage-not-writable",
        `the registry may not write into ${path}`,
        `test -w in the registry's task, as ${user}, says no`,
        setup,
      ),
    );
  }
  if (disk) findings.push(...judgeRoom("storage-full", path, disk, STORAGE_LIMITS, "bytes", MAKE_ROOM));
  if (inodes) findings.push(...judgeRoom("inodes-full", path, inodes, INODE_LIMITS, "inodes", MAKE_ROOM));
  return findings;
}

/** Where the engine keeps images, containers and their logs. */
export const judgeDataRoot = (path: string, room: Disk): Finding[] =>
  judgeRoom(
    "engine-disk-full",
    `the engine's folder ${path}`,
    room,
    ENGINE_LIMITS,
    "bytes",
    "Remove what no container uses: docker system prune; or give the file system more.",
  );
/** Tasks of registry and reader on several nodes, where the images are in a folder of one node. */
function judgeSplit(config: Config, services: readonly ServiceFacts[]): Finding[] {
  const split = splitTasks(config, services);
  if (split.length === 0) return [];
  return [
    error(
      "storage-split",
      `the registry and the reader run on several nodes, but ${storagePlace(config)} is a folder of one node: pulls fail`,
      split.join(", "),
      "Name the node in registry.placement.constraints (node.hostname == …), then run hephaestus render and hephaestus deploy. If all nodes share that folder (NFS), set registry.storage.shared: true.",
    ),
  ];
}

export const storageCheck: Check = {
  id: "storage",
  title: "storage",
  theme: "Storage",
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
};

/** Number of damaged tags that are named; the others are counted. */
const NAMED_TAGS = 20;

/** Tags that name no manifest: a pull of them fails. */
function judgeTags(damaged: readonly string[]): Finding[] {
  const rest = damaged.length - NAMED_TAGS;
  const named = damaged
    .slice(0, NAMED_TAGS)
    .map((name) =>
      error(
        "tag-damaged",
        `the tag ${name} names no manifest`,
        "in the storage its link or its manifest is empty or missing, as after a power cut",
        `Push the image again: docker push …/${name}. Or bring it back from a backup: hephaestus restore DIRECTORY --force`,
      ),
    );
  if (rest <= 0) return named;
  return [...named, error("tag-damaged", `${rest} more tags name no manifest`, "the storage", "See above.")];
}

export const tagCheck: Check = {
  id: "tags",
  title: "tags in the storage",
  theme: "Storage",
  needs: "manager",
  applies: ({ registry }) => registry.storage.driver === "filesystem",
  run: async ({ config, docker }) => judgeTags((await tagsOfTask(docker, config.stack))?.damaged ?? []),
};
