import { execa } from "execa";
import type { Workspace } from "./workspace.js";

/** The bridge by which the engine's host and the tasks reach each other. */
const BRIDGE = "docker_gwbridge";

/** The address and the length of the prefix of this machine at that bridge. */
async function ownAddress(): Promise<{ address: string; prefix: string }> {
  const { stdout } = await execa("ip", ["-4", "-o", "addr", "show", "dev", BRIDGE]);
  const [, address, prefix] = /inet (\S+)\/(\d+)/.exec(stdout) ?? [];
  if (address === undefined || prefix === undefined)
    throw new Error(`this machine has no address at ${BRIDGE}`);
  return { address, prefix };
}

/** Where tasks reach a server on this machine. */
export const addressForTasks = async (): Promise<string> => (await ownAddress()).address;

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

/**
 * Addresses of this machine from which a gateway is asked, so that it takes them for different clients. They go with the
 * network namespace of the tests.
 *
 * @returns the gateway's address, without the port that it publishes, and addresses to bind to
 */
export async function clientAddresses(
  workspace: Workspace,
  count: number,
): Promise<{ url: string; addresses: string[] }> {
  const filter = `label=com.docker.swarm.service.name=${workspace.stack}_gateway`;
  const id = (await workspace.docker("ps", "--quiet", "--no-trunc", "--filter", filter)).stdout.trim();
  const { address: own, prefix } = await ownAddress();
  const network = own.split(".").slice(0, 2).join(".");
  const gateway = await addressOfContainer(workspace, id);
  const addresses = Array.from({ length: count }, (_, index) => `${network}.200.${index + 1}`);
  for (const address of addresses)
    await execa("ip", ["addr", "replace", `${address}/${prefix}`, "dev", BRIDGE]);
  return { url: `http://${gateway}:5000`, addresses };
}
