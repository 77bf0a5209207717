/**
 * What a Docker Engine leaves in the kernel outside of its own directory, and how it goes away again: processes of its
 * containers, mounts, network links, firewall rules, the forwarding switch.
 */
import { readdir, readFile, readlink, writeFile } from "node:fs/promises";
import { execa } from "execa";

/** How the network namespace looked before the engine started; what was there stays. */
export interface Surroundings {
  /** Process ids of other engines in this network namespace. */
  engines: number[];
  /** Those of the engine's links that existed already. */
  links: string[];
  /** Whether the firewall had rules of a Docker Engine already. */
  firewall: boolean;
  /** The content of ip_forward: dockerd sets it to 1, and with that the policy of FORWARD to DROP. */
  forwarding: string;
}

/**
 * Bridges; and what an engine that was killed had not yet given to a container: the VXLAN of an overlay, and pairs of which both ends
 * are here.
 */
const ENGINE_LINK = /^(?:docker0|docker_gwbridge|vx-[0-9a-f]{6}-\S+|veth[0-9a-f]{7}@veth[0-9a-f]{7})$/;
/** The last form is the rule that lets a container reach its own published port; a killed dockerd leaves it behind. */
const DOCKER_RULE = /DOCKER|docker0|docker_gwbridge|-s (\S+) -d \1 .*MASQUERADE/;
const FORWARDING = "/proc/sys/net/ipv4/ip_forward";
const env = { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };

/** Reads the state of this network namespace that an engine would change. Changes nothing. */
export async function surroundings(): Promise<Surroundings> {
  return {
    engines: await engines(),
    links: await engineLinks(),
    firewall: DOCKER_RULE.test(await firewall()),
    forwarding: (await readFile(FORWARDING, "utf8").catch(() => "")).trim(),
  };
}

/** As ip(8) shows them. Not from /sys, which may be that of another network namespace. */
async function engineLinks(): Promise<string[]> {
  const { stdout = "" } = await execa("ip", ["-brief", "link"], { env, reject: false });
  return stdout
    .split("\n")
    .flatMap((line) => line.match(/^\S+/) ?? [])
    .filter((link) => ENGINE_LINK.test(link));
}

/**
 * Removes what a stopped (or killed) engine left: processes that belong to `dir`, mounts below it, and in this network
 * namespace the links and rules that were not there before.
 */
export async function removeTraces(dir: string, before: Surroundings): Promise<void> {
  await killBelow(dir);
  for (const mount of await mountsBelow(dir)) await execa("umount", ["-l", mount], { env, reject: false });
  for (const link of (await engineLinks()).filter((name) => !before.links.includes(name))) {
    await execa("ip", ["link", "delete", link.replace(/@.*/, "")], { env, reject: false });
  }
  const rules = before.firewall ? "" : await firewall();
  if (DOCKER_RULE.test(rules)) {
    const kept = rules.split("\n").filter((line) => !DOCKER_RULE.test(line));
    await execa("iptables-restore", [], { env, reject: false, input: `${kept.join("\n")}\n` });
  }
  if (before.forwarding === "0") {
    await execa("iptables", ["--policy", "FORWARD", "ACCEPT"], { env, reject: false });
    await writeFile(FORWARDING, "0").catch(() => {});
  }
}

/** Whether a process runs. A zombie does not: in a container nobody may ever collect it. */
export async function isAlive(pid: number): Promise<boolean> {
  const state = (await stat(pid))?.state;
  return state !== undefined && state !== "Z" && state !== "X";
}

/** Other dockerd processes that share our network namespace. */
async function engines(): Promise<number[]> {
  const ours = await readlink("/proc/self/ns/net").catch(() => "");
  const found: number[] = [];
  for (const pid of await pids()) {
    const name = await readFile(`/proc/${pid}/comm`, "utf8").catch(() => "");
    if (name.trim() !== "dockerd" || !(await isAlive(pid))) continue;
    if ((await readlink(`/proc/${pid}/ns/net`).catch(() => "")) === ours) found.push(pid);
  }
  return found;
}

/** After a dockerd that was killed, its containerd, the shims and their containers live on; all shims name `dir`. */
async function killBelow(dir: string): Promise<void> {
  const parents = new Map<number, number>();
  const doomed = new Set<number>();
  for (const pid of await pids()) {
    const commandLine = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
    if (/^(\S*\/)?containerd/.test(commandLine) && commandLine.includes(`${dir}/exec/containerd/`))
      doomed.add(pid);
    parents.set(pid, (await stat(pid))?.parent ?? 0);
  }
  // The children of a shim are the containers' first processes; the kernel ends the rest of a container with them.
  const children = [...parents].filter(([, parent]) => doomed.has(parent)).map(([pid]) => pid);
  for (const pid of [...doomed, ...children]) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended by itself meanwhile.
    }
  }
}

/** Mount points below `dir`, the innermost first. Spaces and the like are octal in mountinfo (proc(5)). */
async function mountsBelow(dir: string): Promise<string[]> {
  const table = await readFile("/proc/self/mountinfo", "utf8");
  const points = table.split("\n").map((line) => (line.split(" ")[4] ?? "").replace(/\\(\d{3})/g, octal));
  return points.filter((point) => point.startsWith(`${dir}/`)).reverse();
}

function octal(_match: string, digits: string): string {
  return String.fromCharCode(Number.parseInt(digits, 8));
}

async function firewall(): Promise<string> {
  const { stdout } = await execa("iptables-save", [], { env, reject: false });
  return stdout ?? "";
}

async function pids(): Promise<number[]> {
  return (await readdir("/proc")).filter((name) => /^\d+$/.test(name)).map(Number);
}

/** State and parent from /proc/PID/stat; the name before them is in brackets and may hold anything. */
async function stat(pid: number): Promise<{ state: string; parent: number } | undefined> {
  const text = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => undefined);
  const [state, parent] = text?.slice(text.lastIndexOf(")") + 2).split(" ") ?? [];
  return state === undefined ? undefined : { state, parent: Number(parent) };
}
