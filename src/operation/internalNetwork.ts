import type { Config } from "../config/resolve.js";
import { findNetwork } from "../docker/objects.js";
import type { Docker } from "../docker/run.js";
import { internalNetworkOptions, MTU_OPTION } from "../stack.js";
import type { Finding } from "./findings.js";

/** A network as the engine has it. */
export interface SwarmNetwork {
  id: string;
  scope: string;
  driver: string;
  options?: Readonly<Record<string, string>>;
}

/** What Docker takes where a network has no MTU. Source: moby, libnetwork/drivers/overlay (maxMTU). */
const DEFAULT_MTU = 1500;

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
const isEncrypted = (options: Readonly<Record<string, string>>): boolean => "encrypted" in options;

/**
 * Whether the stack's own network is the one that the config describes: `docker stack deploy` creates a network, and
 * never changes one that exists. Pure.
 */
export function judgeInternalNetwork(config: Config, network: SwarmNetwork | undefined): Finding[] {
  if (network === undefined) return [];
  const name = internalNetworkName(config);
  const has = network.options ?? {};
  const wanted = internalNetworkOptions(config);
  const faults: [string, string][] = [];
  if (mtuOf(network) !== Number(wanted[MTU_OPTION] ?? DEFAULT_MTU))
    faults.push([`MTU ${mtuWords(has)}`, `MTU ${mtuWords(wanted)}`]);
  if (isEncrypted(has) !== isEncrypted(wanted)) faults.push([encryptionWords(has), encryptionWords(wanted)]);
  if (faults.length === 0) return [];
  return [
    {
      id: "network-options-differ",
      severity: "warning",
      message: `the network ${name} is ${faults.map(([is]) => is).join(", ")}; the config says ${faults.map(([, shall]) => shall).join(", ")}`,
      evidence: `docker network inspect ${name}: Options ${JSON.stringify(has)}`,
      remedy: `A deploy never changes a network that exists. Make it again while nobody pulls or pushes: docker stack rm ${config.stack}, wait until its containers are gone, then hephaestus deploy. Images, passwords and history stay.`,
    },
  ];
}

function mtuWords(options: Readonly<Record<string, string>>): string {
  return options[MTU_OPTION] ?? `${DEFAULT_MTU} (Docker's default)`;
}

const encryptionWords = (options: Readonly<Record<string, string>>): string =>
  isEncrypted(options) ? "encrypted" : "not encrypted";
