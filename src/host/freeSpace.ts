import { statfs } from "node:fs/promises";
import { absentAs } from "./files.js";

/** Room on this machine's file system below a path; undefined where there is no such path. */
export async function readRoom(path: string): Promise<Disk | undefined> {
  const room = await statfs(path).catch(absentAs(undefined));
  if (room === undefined) return undefined;
  const { bsize, blocks, bfree, bavail } = room;
  return { size: blocks * bsize, used: (blocks - bfree) * bsize, free: bavail * bsize };
}

/** Room on a file system: bytes, or inodes. */
export interface Disk {
  size: number;
  used: number;
  free: number;
}
