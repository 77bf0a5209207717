import { statfs } from "node:fs/promises";
import type { Disk } from "../swarm/disk.js";

/** Room on this machine's file system below a path; undefined where there is no such path. */
export async function readRoom(path: string): Promise<Disk | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path);
    return { size: blocks * bsize, used: (blocks - bfree) * bsize, free: bavail * bsize };
  } catch {
    return undefined;
  }
}
