/**
 * One Swarm of three managers for all suites that need several nodes: the first one starts it, with the images of a registry and a
 * gateway, and globalSetup stops it. A suite leaves no stack, and every node running.
 */
import { existsSync } from "node:fs";
import { rm, writeFile } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { execa } from "execa";
import { Nodes, startNodes } from "../../support/nodes.js";
import type { Swarm } from "../swarm.js";

/** In the folder that globalSetup gives them. */
export const threeNodesIn = (dir: string): Nodes => new Nodes(dir, 3, 77);

/** A node that was started again is there some seconds later. */
async function allReady({ nodes: [first, ...others] }: Nodes): Promise<void> {
  const args = ["--host", first?.dockerHost ?? "", "node", "ls", "--format", "{{.Status}}"];
  for (let tries = 0; tries < 120; tries++) {
    const { stdout } = await execa("docker", args, { reject: false });
    if (stdout.split("\n").filter((state) => state === "Ready").length > others.length) return;
    await sleep(500);
  }
  throw new Error("the three nodes are not ready after a minute");
}

/** @returns the nodes, which run, also where a suite that failed left one dead */
export async function useNodes({ dockerHost, images, nodes: dir }: Swarm): Promise<Nodes> {
  const nodes = threeNodesIn(dir);
  const ready = `${dir}/ready`;
  if (existsSync(ready)) {
    for (const node of nodes.nodes) if ((await nodes.processOf(node)) === undefined) await nodes.start(node);
    await allReady(nodes);
    return nodes;
  }
  // What a start left that was broken off.
  await nodes.stop();
  await rm(dir, { recursive: true, force: true });
  await startNodes(nodes, dockerHost, [images.registry3, images.nginx]);
  await writeFile(ready, "");
  return nodes;
}
