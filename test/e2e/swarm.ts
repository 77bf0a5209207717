import { inject } from "vitest";
import type { STANDINS } from "../support/standins/recipes.js";

export interface Swarm {
  /** The engine of the tests, as in DOCKER_HOST. */
  dockerHost: string;
  /** Names of the stand-in images that it has. */
  images: typeof STANDINS;
  /** The folder of the Swarm of three nodes; see `nodes/threeNodes.ts`. */
  nodes: string;
}

declare module "vitest" {
  interface ProvidedContext {
    swarm: Swarm;
  }
}

/**
 * The Swarm that `globalSetup.ts` started. From the call on, `docker` and everything that reads DOCKER_HOST in this test
 * file talks to it.
 */
export function useSwarm(): Swarm {
  const swarm = inject("swarm");
  process.env.DOCKER_HOST = swarm.dockerHost;
  return swarm;
}
