import { readFileSync, readlinkSync } from "node:fs";

/** This machine's boot, and this process's view of process ids: where both are the same, a process id means the same process. */
function place(): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    return `${boot}/${readlinkSync("/proc/self/ns/pid").replace(/\D/g, "")}`;
  } catch {
    // Not Linux.
    return undefined;
  }
}

/** When a process was started, in clock ticks since the boot (proc(5), field 22 of stat); undefined where it is gone. */
function startTime(pid: number | "self"): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    return stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
  } catch {
    return undefined;
  }
}

/** This process, told apart from every other one: boot, namespace, id and start. Undefined where that cannot be told. */
export function processIdentity(): string | undefined {
  const here = place();
  return here && `${here}/${process.pid}/${startTime("self")}`;
}

/**
 * Whether a process is surely gone: it was one of this boot and this namespace, and no process has its id and start any more.
 *
 * @param identity as processIdentity gives it
 */
export function hasEnded(identity: string): boolean {
  const here = place();
  if (here === undefined || !identity.startsWith(`${here}/`)) return false;
  const [pid = "", start] = identity.slice(here.length + 1).split("/");
  return startTime(Number(pid)) !== start;
}
