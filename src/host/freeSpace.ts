import { statfs } from "node:fs/promises";

/** Room on this machine's file system below a path; undefined where there is no such path. */
export async function readRoom(path: string): Promise<Disk | undefined> {
  try {
    const { bsize, blocks, bfree, bavail } = await statfs(path);
    return { size: blocks * bsize, used: (blocks - bfree) * bsize, free: bavail * bsize };
  } catch {
    return undefined;
  }
}

/** Room on a file system: bytes, or inodes. */
export interface Disk {
  size: number;
  used: number;
  free: number;
}
