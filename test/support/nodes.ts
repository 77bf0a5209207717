/**
 * A Swarm of several managers on this machine: each node is a Docker Engine in a network namespace of its own, with its own
 * host name and its own /srv. A bridge joins them. Needs root on Linux, and runs behind the wall of test/e2e/run.sh.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { spawnDaemon, terminate, waitUntilUp } from "./engine.js";
import { isAlive, removeTraces, type Surroundings } from "./traces.js";

/** The bridge has a namespace of its own: in that of another engine, its firewall drops what is forwarded. */
const SWITCH = "nodeswitch";
const BRIDGE = "bridge0";
/** This side of the link to the bridge, by which the tests reach the nodes. */
const UPLINK = "nodes0";
const ADDRESS = "10.77.0.254";
const env = { PATH: `${process.env.PATH ?? ""}:/usr/sbin:/sbin` };
/** What the nodes leave outside of their folders lies in their own namespaces; links and rules here belong to another engine. */
const NOTHING_HERE: Surroundings = {
  engines: [],
  links: ["docker0", "docker_gwbridge"],
  firewall: true,
  forwarding: "",
};

export interface ManagerNode {
  name: string;
  address: string;
  /** The value for DOCKER_HOST. */
  dockerHost: string;
  /** Its own folder, mounted at /srv on the node. A folder of all nodes is mounted at /srv/shared, as NFS would be. */
  srv: string;
}

export interface Nodes {
  nodes: ManagerNode[];
  /** Ends a node at once, as a loss of power would: its link, its engine and its containers. */
  kill(node: ManagerNode): Promise<void>;
  /** Starts a node that was killed. */
  revive(node: ManagerNode): Promise<void>;
  /** The address of this side, which the nodes and their containers reach. */
  address: string;
  stop(): Promise<void>;
}

/** Nothing here takes longer: a command that hangs fails the tests with its name. */
const run = (command: string, args: readonly string[]) => execa(command, args, { env, timeout: 90_000 });
const docker = (node: ManagerNode, ...args: string[]) => run("docker", ["--host", node.dockerHost, ...args]);

/**
 * Starts the nodes and joins them as managers of one Swarm.
 *
 * @param dir an absolute path for everything that they keep
 * @param from an engine that has the images, as in DOCKER_HOST
 * @param images names of the images that every node gets
 */
export async function startNodes(
  dir: string,
  count: number,
  from: string,
  images: readonly string[],
): Promise<Nodes> {
  await run("ip", ["netns", "add", SWITCH]);
  await run("ip", ["-n", SWITCH, "link", "add", BRIDGE, "type", "bridge"]);
  await run("ip", ["-n", SWITCH, "link", "set", BRIDGE, "up"]);
  await run("ip", ["link", "add", UPLINK, "type", "veth", "peer", "name", UPLINK, "netns", SWITCH]);
  await run("ip", ["-n", SWITCH, "link", "set", UPLINK, "master", BRIDGE, "up"]);
  await run("ip", ["addr", "add", `${ADDRESS}/24`, "dev", UPLINK]);
  await run("ip", ["link", "set", UPLINK, "up"]);
  const nodes: ManagerNode[] = [];
  const pids = new Map<string, number>();
  const start = async (node: ManagerNode): Promise<void> => {
    const folder = `${dir}/${node.name}`;
    const pid = await startDaemon(folder, node);
    pids.set(node.name, pid);
    await waitUntilUp(folder, pid, node.dockerHost);
  };
  const kill = async (node: ManagerNode): Promise<void> => {
    await run("ip", ["-n", SWITCH, "link", "set", `to-${node.name}`, "down"]);
    await killTree(pids.get(node.name) as number);
    // Its kernel is gone too, with its firewall: rules of containers that were would send to others.
    await run("ip", ["netns", "delete", node.name]);
    await run("ip", ["-n", SWITCH, "link", "delete", `to-${node.name}`]).catch(() => undefined);
  };
  const revive = async (node: ManagerNode): Promise<void> => {
    await addLink(dir, Number(node.name.slice("node".length)));
    // What it left would make it believe that it runs still.
    await rm(`${dir}/${node.name}/docker.pid`, { force: true });
    await rm(`${dir}/${node.name}/exec`, { recursive: true, force: true });
    await start(node);
  };
  const stop = async (): Promise<void> => {
    for (const pid of pids.values()) if (await isAlive(pid)) await terminate(pid);
    for (const { name } of nodes) {
      await removeTraces(`${dir}/${name}`, NOTHING_HERE);
      await execa("ip", ["netns", "delete", name], { env, reject: false });
    }
    await execa("ip", ["link", "delete", UPLINK], { env, reject: false });
    await execa("ip", ["netns", "delete", SWITCH], { env, reject: false });
  };
  try {
    for (let number = 1; number <= count; number++) {
      const node = await addLink(dir, number);
      nodes.push(node);
      await start(node);
    }
    const [first, ...others] = nodes as [ManagerNode, ...ManagerNode[]];
    await docker(first, "swarm", "init", "--advertise-addr", first.address);
    const { stdout: token } = await docker(first, "swarm", "join-token", "--quiet", "manager");
    for (const node of others)
      await docker(
        node,
        "swarm",
        "join",
        "--token",
        token,
        "--advertise-addr",
        node.address,
        `${first.address}:2377`,
      );
    const all = { nodes, address: ADDRESS, kill, revive, stop };
    if (images.length === 0) return all;
    await run("docker", ["--host", from, "save", "--output", `${dir}/images.tar`, ...images]);
    await Promise.all(nodes.map((node) => docker(node, "load", "--input", `${dir}/images.tar`)));
    return all;
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Kills a process and everything below it, the top first, so that nothing is started again. */
async function killTree(root: number): Promise<void> {
  const parents = new Map<number, number>();
  for (const name of (await readdir("/proc")).filter((name) => /^\d+$/.test(name))) {
    const status = await readFile(`/proc/${name}/status`, "utf8").catch(() => "");
    parents.set(Number(name), Number(/^PPid:\s+(\d+)$/m.exec(status)?.[1]));
  }
  const tree = [root];
  for (const pid of tree)
    tree.push(...[...parents].filter(([, parent]) => parent === pid).map(([child]) => child));
  for (const pid of tree) {
    try {
      process.kill(pid, "SIGKILL");
    } catch {
      // It ended with its parent.
    }
  }
}

async function addLink(dir: string, number: number): Promise<ManagerNode> {
  const name = `node${number}`;
  const address = `10.77.0.${number}`;
  await run("ip", ["netns", "add", name]);
  const port = `to-${name}`;
  await run("ip", ["-n", SWITCH, "link", "add", port, "type", "veth", "peer", "name", "eth0", "netns", name]);
  await run("ip", ["-n", SWITCH, "link", "set", port, "master", BRIDGE, "up"]);
  for (const args of [
    ["addr", "add", `${address}/24`, "dev", "eth0"],
    ["link", "set", "eth0", "up"],
    ["link", "set", "lo", "up"],
    ["route", "add", "default", "via", ADDRESS],
  ])
    await run("ip", ["-n", name, ...args]);
  const folder = `${dir}/${name}`;
  await mkdir(`${folder}/srv/shared`, { recursive: true });
  await mkdir(`${dir}/shared`, { recursive: true });
  // Nothing answers here, and that is known at once: an engine asks for each image before it takes its own.
  await writeFile(`${folder}/resolv.conf`, "nameserver 127.0.0.1\n");
  return { name, address, dockerHost: `unix://${folder}/docker.sock`, srv: `${folder}/srv` };
}

/** Starts the engine of a node in its namespaces; returns its process id. */
function startDaemon(folder: string, { name, dockerHost, srv }: ManagerNode): Promise<number> {
  const script = [
    `hostname ${name}`,
    "mount -t tmpfs tmpfs /run",
    `mount --bind ${srv} /srv`,
    `mount --bind ${folder}/../shared /srv/shared`,
    `mount --bind ${folder}/resolv.conf /etc/resolv.conf`,
    'exec "$@"',
  ].join(" && ");
  const namespaces = [`--net=/run/netns/${name}`, "unshare", "--mount", "--uts"];
  const wrapper = ["nsenter", ...namespaces, "sh", "-c", script, "sh"];
  const socket = dockerHost.slice("unix://".length);
  return spawnDaemon(folder, socket, wrapper, ["--cgroup-parent", `/${name}`]);
}
