import { runningContainers } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import type { Disk } from "../host/freeSpace.js";
import { registryService } from "../operation/registryUpdate.js";
import { STORAGE } from "../services/storageParts.js";

/** The storage as the registry sees it. */
export interface Storage {
  /** Bytes of the file system that it lies on. */
  disk: Disk | undefined;
  /** Its inodes; undefined if the file system has no fixed number of them. */
  inodes: Disk | undefined;
  /** Whether the registry's user may write into it. */
  writable: boolean;
  /** Whether it is mounted read-only: a file system that met an error of its disk is. */
  readOnly: boolean;
}

/**
 * Room at the registry's storage, as a task of the registry on this engine sees it.
 *
 * @returns undefined if none runs here
 */
export async function storageDisk(docker: Docker, stack: string): Promise<Disk | undefined> {
  const [container] = await runningContainers(docker, registryService(stack));
  return container === undefined ? undefined : roomOf(docker, container.id);
}

/**
 * Looks at the storage from inside a task of the registry on this engine, as the registry's user. Nothing is
 * written.
 *
 * @returns undefined if none runs here
 */
export async function readStorage(docker: Docker, stack: string): Promise<Storage | undefined> {
  const [container] = await runningContainers(docker, registryService(stack));
  if (container === undefined) return undefined;
  const look = (...command: string[]) => docker.attempt(["exec", container.id, ...command]);
  const [disk, inodes, write, mounts] = await Promise.all([
    roomOf(docker, container.id),
    look("df", "-Pi", STORAGE),
    look("test", "-w", STORAGE),
    look("cat", "/proc/self/mounts"),
  ]);
  const found = inodes.exitCode === 0 ? parseDf(inodes.stdout, 1) : undefined;
  return {
    disk,
    inodes: found?.size === 0 ? undefined : found,
    // 1 is the answer no; anything else is a test that did not run.
    writable: write.exitCode !== 1,
    readOnly: isReadOnly(mounts.stdout),
  };
}

async function roomOf(docker: Docker, container: string): Promise<Disk | undefined> {
  const df = await docker.attempt(["exec", container, "df", "-Pk", STORAGE]);
  return df.exitCode === 0 ? parseDf(df.stdout) : undefined;
}

/**
 * Reads `df -P` (POSIX): a head line, then name, size, used and free.
 *
 * @param unit what df counts in: 1024 bytes with -k, 1 with -i
 */
export function parseDf(text: string, unit = 1024): Disk | undefined {
  const numbers = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(text.trim().split("\n").slice(1).join(" "));
  if (!numbers) return undefined;
  const [size, used, free] = numbers.slice(1).map((count) => Number(count) * unit) as [
    number,
    number,
    number,
  ];
  return { size, used, free };
}

/**
 * Whether the storage is mounted read-only, by the text of /proc/self/mounts (proc(5)); the last mount
 * counts.
 */
export function isReadOnly(mounts: string): boolean {
  const lines = mounts.split("\n").map((line) => line.split(" "));
  const options = lines.findLast(([, target]) => target === STORAGE)?.[3] ?? "";
  return options.split(",").includes("ro");
}
