import type { Docker } from "./docker.js";
import { runningContainers } from "./objects.js";

/** The file system that the storage lies on, in bytes. */
export interface Disk {
  size: number;
  used: number;
  free: number;
}

/**
 * Room at the registry's storage, as a task of the registry on this engine sees it.
 *
 * @returns undefined where none runs here
 */
export async function storageDisk(docker: Docker, stack: string): Promise<Disk | undefined> {
  const [container] = await runningContainers(docker, `${stack}_registry`);
  if (container === undefined) return undefined;
  const df = await docker.attempt(["exec", container, "df", "-Pk", "/var/lib/registry"]);
  return df.exitCode === 0 ? parseDf(df.stdout) : undefined;
}

/** Reads `df -Pk` (POSIX): a head line, then name, size, used and free in KiB. */
export function parseDf(text: string): Disk | undefined {
  const numbers = /\s(\d+)\s+(\d+)\s+(\d+)\s+\d+%/.exec(text.trim().split("\n").slice(1).join(" "));
  if (!numbers) return undefined;
  const [size, used, free] = numbers.slice(1).map((kib) => Number(kib) * 1024) as [number, number, number];
  return { size, used, free };
}
