import { execa } from "execa";
import type { Workspace } from "./workspace.js";

/** The bridge by which the engine's host and the tasks reach each other. */
const BRIDGE = "docker_gwbridge";

/** Where tasks reach a server on this machine. */
export async function addressForTasks(): Promise<string> {
  const { stdout } = await execa("ip", ["-4", "-o", "addr", "show", "dev", BRIDGE]);
  const address = /inet ([^/\s]+)/.exec(stdout)?.[1];
  if (address === undefined) throw new Error(`this machine has no address at ${BRIDGE}`);
  return address;
}

/**
 * The address of a container at that bridge, by which this machine reaches it.
 *
 * @param container its full ID
 */
export async function addressOfContainer(workspace: Workspace, container: string): Promise<string> {
  const inspect = ["network", "inspect", "--format", "{{json .Containers}}", BRIDGE];
  const { stdout } = await workspace.docker(...inspect);
  const address = (JSON.parse(stdout) as Record<string, { IPv4Address: string }>)[container]?.IPv4Address;
  if (address === undefined) throw new Error(`${container} has no address at ${BRIDGE}`);
  return address.replace(/\/.*/, "");
}
