import { readFileSync } from "node:fs";
import { release } from "node:os";

/**
 * Whether this machine's kernel has IPVS, which virtual IPs of Swarm services need: loaded, built in, or
 * there as a module that Docker loads when it wants it.
 */
export function kernelHasIpvs(): boolean {
  const modules = `/lib/modules/${release()}`;
  return (
    read("/proc/net/ip_vs") !== undefined ||
    [`${modules}/modules.dep`, `${modules}/modules.builtin`].some((path) =>
      /\/ip_vs\.ko/.test(read(path) ?? ""),
    )
  );
}

function read(path: string): string | undefined {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return undefined;
  }
}
