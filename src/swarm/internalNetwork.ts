import type { Config } from "../config/resolve.js";
import type { Docker } from "../docker/run.js";
import { MTU_OPTION } from "../stack.js";
import { findNetwork } from "./objects.js";

/** A network as the engine has it. */
export interface SwarmNetwork {
  id: string;
  scope: string;
  driver: string;
  options?: Readonly<Record<string, string>>;
}

/** What Docker takes if a network has no MTU. Source: moby, libnetwork/drivers/overlay (maxMTU). */
export const DEFAULT_MTU = 1500;

/** Name of the stack's own network in the Swarm. */
export const internalNetworkName = ({ stack, networks }: Config): string => `${stack}_${networks.internal}`;

/** @returns undefined if there is none of that name */
export async function readNetwork(docker: Docker, name: string): Promise<SwarmNetwork | undefined> {
  const found = await findNetwork(docker, name);
  return found && { id: found.Id, scope: found.Scope, driver: found.Driver, options: found.Options ?? {} };
}

/** Bytes of a packet between two nodes, VXLAN included. */
export const mtuOf = (network: SwarmNetwork | undefined): number =>
  Number(network?.options?.[MTU_OPTION] ?? DEFAULT_MTU);

/** Its presence counts, whatever its value. Source: moby, libnetwork/drivers/overlay (secureOption). */
export const isEncrypted = (options: Readonly<Record<string, string>>): boolean => "encrypted" in options;
