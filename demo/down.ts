/** Removes everything that the demo made. */
import { existsSync } from "node:fs";
import { rm } from "node:fs/promises";
import { stopEngine } from "../test/support/engine.js";
import { heading, hephaestus, quietly, say } from "./shell.js";
import { type DemoState, removeFolder, STACK_FOLDER } from "./state.js";

/** Safe to run again, and after a demo that was cut off. */
export async function takeDown(state: DemoState): Promise<void> {
  heading("Removing what the demo made");
  if (state.dockerHost) process.env.DOCKER_HOST = state.dockerHost;
  // An engine of the demo's own takes everything with it.
  if (state.engine) {
    await stopEngine(state.engine);
    await rm(state.engine, { recursive: true, force: true });
    say("stopped the demo's Docker Engine and removed its data");
  } else if ((await quietly("docker", ["version"])).exitCode === 0) {
    if (existsSync(`${STACK_FOLDER}/hephaestus.yaml`)) await hephaestus(["destroy", "--yes"]);
    for (const image of state.images) await quietly("docker", ["image", "rm", image]);
    if (state.images.length > 0) say(`removed the images ${state.images.join(", ")}`);
    if (state.swarm) {
      await quietly("docker", ["swarm", "leave", "--force"]);
      say("left the Swarm that the demo had started");
    }
  }
  await removeFolder();
  say("removed .demo");
  say("Packages that were installed stay; remove them with: apt-get remove docker.io");
}
