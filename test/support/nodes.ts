/**
 * A Swarm of several managers on this machine: each node is a Docker Engine in a network namespace of its own, with its own
 * host name and its own /srv. A bridge joins them. Needs root on Linux, and runs in the namespaces of test/e2e/run.sh.
 */
import { mkdir, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { execa } from "execa";
import { readPid, spawnDaemon, terminate, waitUntilUp } from "./engine.js";
import { shortSeccomp } from "./shortSeccomp.js";
import { isAlive, removeTraces, type Surroundings } from "./traces.js";

const BRIDGE = "bridge0";
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

/** Nothing here takes longer: a command that hangs fails the tests with its name. */
const run = (command: string, args: readonly string[]) => execa(command, args, { env, timeout: 90_000 });
const docker = (node: ManagerNode, ...args: string[]) => run("docker", ["--host", node.dockerHost, ...args]);

/** The nodes whose folders are below one: whichever process started them, another one finds them there. */
export class Nodes {
  readonly nodes: readonly ManagerNode[];
  /** The address of this side, which the nodes and their containers reach. */
  readonly address: string;
  /** The namespace of the bridge, which is its own: in that of another engine, its firewall drops what is forwarded. */
  private readonly bridge: string;
  /** This side of the link to the bridge, by which the tests reach the nodes. */
  private readonly uplink: string;

  /**
   * @param dir an absolute path for everything that they keep
   * @param net the second number of their addresses, another one for each Swarm that runs at once
   */
  constructor(
    readonly dir: string,
    count: number,
    private readonly net: number,
  ) {
    this.address = `10.${net}.0.254`;
    this.bridge = `bridge-${net}`;
    this.uplink = `nodes-${net}`;
    this.nodes = Array.from({ length: count }, (_, index) => {
      const name = `node${index + 1}`;
      const folder = `${dir}/${name}`;
      const dockerHost = `unix://${folder}/docker.sock`;
      return { name, address: `10.${net}.0.${index + 1}`, dockerHost, srv: `${folder}/srv` };
    });
  }

  /** Makes the bridge that joins them. */
  async connect(): Promise<void> {
    await run("ip", ["netns", "add", this.bridge]);
    await run("ip", ["-n", this.bridge, "link", "add", BRIDGE, "type", "bridge"]);
    await run("ip", ["-n", this.bridge, "link", "set", BRIDGE, "up"]);
    const peer = ["type", "veth", "peer", "name", this.uplink, "netns", this.bridge];
    await run("ip", ["link", "add", this.uplink, ...peer]);
    await run("ip", ["-n", this.bridge, "link", "set", this.uplink, "master", BRIDGE, "up"]);
    await run("ip", ["addr", "add", `${this.address}/24`, "dev", this.uplink]);
    await run("ip", ["link", "set", this.uplink, "up"]);
    await mkdir(`${this.dir}/shared`, { recursive: true });
  }

  /** Starts a node, or one that was killed. */
  async start(node: ManagerNode): Promise<void> {
    const folder = `${this.dir}/${node.name}`;
    await this.addLink(node);
    // What it left would make it believe that it runs still.
    await rm(`${folder}/docker.pid`, { force: true });
    await rm(`${folder}/exec`, { recursive: true, force: true });
    await mkdir(`${folder}/srv/shared`, { recursive: true });
    // Nothing answers here, and that is known at once: an engine asks for each image before it takes its own.
    await writeFile(`${folder}/resolv.conf`, "nameserver 127.0.0.1\n");
    const pid = await startDaemon(folder, this.namespaceOf(node), node);
    await waitUntilUp(folder, pid, node.dockerHost);
  }

  /** Ends a node at once, as a loss of power would: its link, its engine and its containers. */
  async kill(node: ManagerNode): Promise<void> {
    await run("ip", ["-n", this.bridge, "link", "set", `to-${node.name}`, "down"]);
    await killTree((await this.processOf(node)) as number);
    // Its kernel is gone too, with its firewall: rules of containers that were would send to others.
    await run("ip", ["netns", "delete", this.namespaceOf(node)]);
    await run("ip", ["-n", this.bridge, "link", "delete", `to-${node.name}`]).catch(() => undefined);
  }

  /** The process of a node's engine, if it runs. */
  processOf({ name }: ManagerNode): Promise<number | undefined> {
    return readPid(`${this.dir}/${name}`);
  }

  async stop(): Promise<void> {
    const end = async (node: ManagerNode) => {
      const pid = await this.processOf(node);
      if (pid !== undefined && (await isAlive(pid))) await terminate(pid);
      await removeTraces(`${this.dir}/${node.name}`, NOTHING_HERE);
      await execa("ip", ["netns", "delete", this.namespaceOf(node)], { env, reject: false });
    };
    await Promise.all(this.nodes.map(end));
    await execa("ip", ["link", "delete", this.uplink], { env, reject: false });
    await execa("ip", ["netns", "delete", this.bridge], { env, reject: false });
  }

  private namespaceOf({ name }: ManagerNode): string {
    return `${name}-${this.net}`;
  }

  private async addLink(node: ManagerNode): Promise<void> {
    const namespace = this.namespaceOf(node);
    await run("ip", ["netns", "add", namespace]);
    const port = `to-${node.name}`;
    const peer = ["type", "veth", "peer", "name", "eth0", "netns", namespace];
    await run("ip", ["-n", this.bridge, "link", "add", port, ...peer]);
    await run("ip", ["-n", this.bridge, "link", "set", port, "master", BRIDGE, "up"]);
    for (const args of [
      ["addr", "add", `${node.address}/24`, "dev", "eth0"],
      ["link", "set", "eth0", "up"],
      ["link", "set", "lo", "up"],
      ["route", "add", "default", "via", this.address],
    ])
      await run("ip", ["-n", namespace, ...args]);
  }
}

/**
 * Starts nodes and joins them as managers of one Swarm. None is left running when one does not start.
 *
 * @param from an engine that has the images, as in DOCKER_HOST
 * @param images names of the images that every node gets
 */
export async function startNodes(all: Nodes, from: string, images: readonly string[]): Promise<void> {
  const { dir } = all;
  try {
    await all.connect();
    await Promise.all(all.nodes.map((node) => all.start(node)));
    const [first, ...others] = all.nodes as [ManagerNode, ...ManagerNode[]];
    await docker(first, "swarm", "init", "--advertise-addr", first.address);
    const { stdout: token } = await docker(first, "swarm", "join-token", "--quiet", "manager");
    for (const node of others) {
      const join = ["swarm", "join", "--token", token, "--advertise-addr", node.address];
      await docker(node, ...join, `${first.address}:2377`);
    }
    if (images.length === 0) return;
    await run("docker", ["--host", from, "save", "--output", `${dir}/images.tar`, ...images]);
    await Promise.all(all.nodes.map((node) => docker(node, "load", "--input", `${dir}/images.tar`)));
    await rm(`${dir}/images.tar`);
  } catch (error) {
    await all.stop();
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

/** Starts the engine of a node in its namespaces; returns its process id. */
async function startDaemon(
  folder: string,
  namespace: string,
  { name, dockerHost, srv }: ManagerNode,
): Promise<number> {
  const script = [
    `hostname ${name}`,
    "mount -t tmpfs tmpfs /run",
    `mount --bind ${srv} /srv`,
    `mount --bind ${folder}/../shared /srv/shared`,
    `mount --bind ${folder}/resolv.conf /etc/resolv.conf`,
    'exec "$@"',
  ].join(" && ");
  const namespaces = [`--net=/run/netns/${namespace}`, "unshare", "--mount", "--uts"];
  const wrapper = ["nsenter", ...namespaces, "sh", "-c", script, "sh"];
  const socket = dockerHost.slice("unix://".length);
  return spawnDaemon(folder, socket, wrapper, [
    "--cgroup-parent",
    `/${name}`,
    ...(await shortSeccomp(folder)),
  ]);
}
