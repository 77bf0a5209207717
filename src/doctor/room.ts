import type { Severity } from "../finding.js";
import type { Disk } from "../host/freeSpace.js";

/** How little may be free: a share of all, or an amount. */
export interface Limits {
  errorShare: number;
  warningShare: number;
  /** Bytes, or a number of inodes. */
  warningBelow: number;
}

/** What is said of a file system that runs out of bytes or inodes: at most one entry. */
export function roomLeft(
  { size, free }: Disk,
  { errorShare, warningShare, warningBelow }: Limits,
  unit: "bytes" | "inodes",
): { severity: Severity; state: string; evidence: string }[] {
  const share = free / size;
  const amount = (value: number) => (unit === "bytes" ? `${(value / 1e9).toFixed(2)} GB` : `${value} inodes`);
  const evidence = `${amount(free)} free of ${amount(size)} (${Math.floor(share * 100)} %)`;
  if (share < errorShare) return [{ severity: "error", state: "nearly full", evidence }];
  if (share < warningShare || free < warningBelow)
    return [{ severity: "warning", state: "running full", evidence }];
  return [];
}
