import { readFile } from "node:fs/promises";
import { networkInterfaces } from "node:os";

/** A network interface of this machine. */
export interface NetworkInterface {
  name: string;
  address: string;
  /** Bytes. */
  mtu: number;
}

/**
 * The interface of this machine that has an address.
 *
 * @returns undefined where none has it, or where the kernel does not say its MTU
 */
export async function interfaceOf(address: string): Promise<NetworkInterface | undefined> {
  const entry = Object.entries(networkInterfaces()).find(([, addresses = []]) =>
    addresses.some((one) => one.address === address),
  );
  if (entry === undefined) return undefined;
  const [name] = entry;
  const text = await readFile(`/sys/class/net/${name}/mtu`, "utf8").catch(() => "");
  const mtu = Number(text);
  return mtu > 0 ? { name, address, mtu } : undefined;
}
