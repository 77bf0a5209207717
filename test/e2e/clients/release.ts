/** Where a client's programs come from: this machine, or the current Debian release with an engine of its own. */
import { mkdirSync, writeFileSync } from "node:fs";
import { rm } from "node:fs/promises";
import { dirname } from "node:path";
import { execa } from "execa";
import { currentDebian, inCurrentDebian, RELEASE } from "../../support/currentDebian.js";
import { spawnDaemon, terminate, waitUntilUp } from "../../support/engine.js";

export interface Release {
  /** What the names of its columns end with. */
  suffix: string;
  /** A command with arguments that comes before each of its programs. */
  enter: readonly string[];
  /** The engine that its docker talks to, as in DOCKER_HOST. */
  dockerHost: string;
}

/** The programs of this machine, with the engine of the tests. */
export const thisMachine = (dockerHost: string): Release => ({ suffix: "", enter: [], dockerHost });

/** The socket of the containerd that the engine started. */
export const containerdSocket = ({ dockerHost }: Release): string =>
  `${dirname(dockerHost.slice("unix://".length))}/exec/containerd/containerd.sock`;

/** Its bridge: one of its own, since an engine without any removes docker0, which the other engine needs. */
const BRIDGE = "docker1";
const ip = (...args: string[]) => execa("ip", args, { env: { PATH: `${process.env.PATH}:/usr/sbin:/sbin` } });

/**
 * Starts an engine of the current release beside the one of the tests: without a firewall of its own, since they share
 * a network. It keeps images in containerd's store, without which it exports no cache to a registry.
 *
 * @param folder where everything of the tests is; programs of that release see it too
 */
export async function startCurrentRelease(
  folder: string,
): Promise<{ release: Release; stop: () => Promise<void> }> {
  const dir = `${folder}/${RELEASE}`;
  mkdirSync(dir, { recursive: true });
  const config = `${dir}/daemon.json`;
  writeFileSync(config, JSON.stringify({ features: { "containerd-snapshotter": true } }));
  const enter = inCurrentDebian(currentDebian(String(process.env.HEPHAESTUS_CACHE)), folder);
  const socket = `${dir}/docker.sock`;
  const apart = [
    "--iptables=false",
    `--bridge=${BRIDGE}`,
    "--cgroup-parent=/current",
    `--config-file=${config}`,
  ];
  await ip("link", "add", BRIDGE, "type", "bridge");
  await ip("addr", "add", "172.31.254.1/24", "dev", BRIDGE);
  const pid = await spawnDaemon(dir, socket, enter, apart);
  const dockerHost = `unix://${socket}`;
  const stop = async () => {
    await terminate(pid);
    await ip("link", "delete", BRIDGE);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    await waitUntilUp(dir, pid, dockerHost);
  } catch (error) {
    await stop();
    throw error;
  }
  return { release: { suffix: `-${RELEASE}`, enter, dockerHost }, stop };
}
