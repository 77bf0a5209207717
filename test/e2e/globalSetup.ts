/**
 * Runs once around the e2e tests: a Docker Engine of their own with a Swarm, and the stand-in images in it. A Swarm of three nodes comes
 * when a suite asks for it (`nodes/threeNodes.ts`), and is stopped here.
 */
import { existsSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import type { TestProject } from "vitest/node";
import { CACHE } from "../support/checkout.js";
import { type Engine, startEngine, stopEngine } from "../support/engine.js";
import { shortSeccomp } from "../support/shortSeccomp.js";
import { buildStandins } from "../support/standIns.js";
import { threeNodesIn } from "./nodes/threeNodes.js";
import "./swarm.js";

export default async function setup({ provide }: TestProject): Promise<() => Promise<void>> {
  const dir = await mkdtemp(`${tmpdir()}/e2e-`);
  const nodes = `${dir}/n`;
  const tearDown = async (): Promise<void> => {
    if (existsSync(nodes)) await threeNodesIn(nodes).stop();
    await stopEngine(dir);
    await rm(dir, { recursive: true, force: true });
  };
  try {
    const { dockerHost }: Engine = await startEngine({ dir, more: await shortSeccomp(dir) });
    const images = await buildStandins({ dockerHost, cacheDir: CACHE, report: (line) => console.log(line) });
    provide("swarm", { dockerHost, images, nodes });
  } catch (error) {
    await tearDown();
    throw error;
  }
  return tearDown;
}
