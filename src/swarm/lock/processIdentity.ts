import { readFileSync, readlinkSync } from "node:fs";

/**
 * What tells a process from every other one on any machine: boot, PID namespace, id and start time, in this
 * order. The start time is in clock ticks since the boot. Source: proc(5), field 22 of stat.
 *
 * @returns undefined if there is no such process here, or no /proc
 */
export function processIdentity(pid = process.pid): string | undefined {
  try {
    const boot = readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim();
    const namespace = readlinkSync("/proc/self/ns/pid").replace(/\D/g, "");
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    // The second field is the name of the program in parentheses, which may contain spaces.
    const start = stat.slice(stat.lastIndexOf(")") + 2).split(" ")[19];
    return `${boot}/${namespace}/${pid}/${start}`;
  } catch {
    return undefined;
  }
}

/**
 * Whether a process has certainly ended: it belongs to this boot and namespace, and is not there any more.
 * /proc may hide the processes of other users (hidepid, proc(5)).
 *
 * @param identity as processIdentity returned it
 */
export function hasEnded(identity: string): boolean {
  const [boot, namespace, pid] = identity.split("/");
  if (processIdentity()?.startsWith(`${boot}/${namespace}/`) !== true) return false;
  const found = processIdentity(Number(pid));
  return found === undefined ? isAbsent(Number(pid)) : found !== identity;
}

/** Any refusal but ESRCH, such as EPERM, is that of a process that lives. Source: kill(2). */
function isAbsent(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
}
