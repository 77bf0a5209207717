import { readFileSync, readlinkSync } from "node:fs";

/**
 * What tells a process from every other one on any machine: boot, PID namespace, id and start time, in this order.
 * The start time is in clock ticks since the boot. Source: proc(5), field 22 of stat.
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
 *
 * @param identity as processIdentity returned it
 */
export function hasEnded(identity: string): boolean {
  const [boot, namespace, pid] = identity.split("/");
  return (
    processIdentity()?.startsWith(`${boot}/${namespace}/`) === true &&
    processIdentity(Number(pid)) !== identity
  );
}
