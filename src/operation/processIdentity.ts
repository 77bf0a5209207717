import { readFileSync, readlinkSync } from "node:fs";

/** The boot of this machine and the PID namespace of this process. If both are equal, a process id means the same process. */
function place(): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    // Not Linux.
    return undefined;
  }
}

/** Start time of a process in clock ticks since the boot (proc(5), field 22 of stat); undefined if it has ended. */
function startTime(pid: number | "self"): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** A unique identity of this process: boot, PID namespace, id and start time. Undefined if /proc does not provide it. */
export function processIdentity(): string | undefined {
  const here = place();
  return here && `${here}/${process.pid}/${startTime("self")}`;
}

/**
 * Whether a process has certainly ended: it belongs to this boot and namespace, and no process has its id and start time.
 *
 * @param identity as processIdentity gives it
 */
export function hasEnded(identity: string): boolean {
  const here = place();
  if (here === undefined || !identity.startsWith(`${here}/`)) return false;
  const [pid = "", start] = identity.slice(here.length + 1).split("/");
  return startTime(Number(pid)) !== start;
}
