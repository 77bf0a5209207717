import type { Docker } from "../docker/run.js";
import type { Disk } from "../host/freeSpace.js";
import { STORAGE } from "../services/storageParts.js";
import { runningContainers } from "../swarm/objects.js";
import { registryService } from "../swarm/registryUpdate.js";

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
    look("df", "-Pk", STORAGE),
    look("df", "-Pi", STORAGE),
    look("test", "-w", STORAGE),
    look("cat", "/proc/self/mounts"),
  ]);
  const counted = parseDf(inodes.stdout, 1);
  return {
    disk: parseDf(disk.stdout),
    inodes: counted?.size === 0 ? undefined : counted,
    // 1 is the answer no; anything else is a test that did not run.
    writable: write.exitCode !== 1,
    readOnly: isReadOnly(mounts.stdout),
  };
}

/**
 * Reads `df -P` (POSIX): a head line, then name, size, used and free. What failed printed no such lines.
 *
 * @param unit what df counts in: 1024 bytes with -k, 1 with -i
 */
export function parseDf(text: string, unit = 1024): Disk | undefined {
  const numbers = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(text.trim().split("\n").slice(1).join(" "));
  if (!numbers) return undefined;
  const [size = 0, used = 0, free = 0] = numbers.slice(1).map((count) => Number(count) * unit);
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
